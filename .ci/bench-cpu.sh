#!/usr/bin/env bash
# The CPU kernels alone, then steps of the 25M Llama beside the same steps in PyTorch, where that is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Both programs know these flags.
sizes=(--hidden 512 --layers 8 --heads 8 --kv 4 --inter 1408 --vocab 4096 --seq 256 --batch 4 --rank 8 --steps 8)

go test ./core/device/cpu/... -run '^$' -bench .

peer=../shared/peers/torch_lora_step.py
if [ ! -e "$peer" ]; then
	echo "PyTorch is not compared: $peer is not here."
	peer=
elif ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
	echo "PyTorch is not compared. To compare: apt-get install python3-torch libopenblas0-pthread"
	peer=
fi
for method in lora qlora full; do
	printf '\nOne %s step of the 25M Llama, batch 4 x 256:\n' "$method"
	bin/hone bench --device cpu --method "$method" "${sizes[@]}"
	[ -z "$peer" ] || /usr/bin/python3 "$peer" --method "$method" "${sizes[@]}"
done
