#!/usr/bin/env bash
# Builds the programs for the browser and packs all of the page to be embedded into bin/hone. Quick when nothing changed.
# Arguments go to web/dist/pack.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

for program in trainer data; do
	# Without the stamp of the commit: the same sources are the same bytes, which need not be compressed again.
	GOOS=js GOARCH=wasm CGO_ENABLED=0 GOEXPERIMENT='' go build -trimpath -buildvcs=false -ldflags='-s -w' -o ".build/web/$program.wasm" "./wasm/$program"
done
go run ./web/dist/pack "$@"
