#!/usr/bin/env bash
# The CPU kernels alone, then one LoRA step of the 25M Llama beside the same step in PyTorch, where that is installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Both programs know these flags.
step=(--method lora --hidden 512 --layers 8 --heads 8 --kv 4 --inter 1408 --vocab 4096 --seq 256 --batch 4 --rank 8 --steps 8)

go test ./core/device/cpu/... -run '^$' -bench .
printf '\nA LoRA step of the 25M Llama, batch 4 x 256. Hone:\n'
bin/hone bench --device cpu "${step[@]}"

peer=../shared/peers/torch_lora_step.py
if [ ! -e "$peer" ]; then
	echo "PyTorch: not compared, $peer is not here."
elif ! /usr/bin/python3 -c 'import torch' 2>/dev/null; then
	echo "PyTorch: not compared. To compare: apt-get install python3-torch libopenblas0-pthread"
else
	echo "PyTorch:"
	/usr/bin/python3 "$peer" "${step[@]}"
fi
