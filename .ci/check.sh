#!/usr/bin/env bash
# Format, generated files, vet, staticcheck (each for this machine and for the browser) and the floors. Runs all, fails if one fails.
# shellcheck disable=SC2317 # the functions are called by name, through step
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit
mkdir -p .build

failed=0
step() { # name, command…: runs it and prints its time
	local name=$1 start=$SECONDS result=ok
	shift
	"$@" || result=FAILED failed=1
	printf 'check: %-20s %-6s %3d s\n' "$name" "$result" $((SECONDS - start))
}

formatted() {
	local folder folders=() bad
	for folder in core server shaders wasm web .ci; do
		[ ! -d "$folder" ] || folders+=("$folder")
	done
	bad=$(gofmt -l "${folders[@]}" 2>&1)
	[ -z "$bad" ] || { printf 'not formatted (gofmt -w does it):\n%s\n' "$bad"; return 1; }
}

# What the browser builds: the packages of core, web and wasm that have files there.
in_browser() { GOOS=js GOARCH=wasm "$@" ./core/... ./web/... ./wasm/...; }

# The Go that templ makes of the page's components is in the repository, and is what its source says.
components() {
	local before after
	before=$(find web -name '*_templ.go' -exec sha256sum {} + | sort)
	go tool templ generate >.build/templ.log 2>&1 || { cat .build/templ.log; return 1; }
	after=$(find web -name '*_templ.go' -exec sha256sum {} + | sort)
	[ "$before" = "$after" ] || { echo 'the *_templ.go files were not those of their .templ; they are now, commit them'; return 1; }
}

step gofmt formatted
step templ components
step vet go vet -tags soak ./...
step 'vet, scripts' go vet .ci/suites.go
step 'vet, browser' in_browser go vet
if go build -o .build/staticcheck honnef.co/go/tools/cmd/staticcheck; then
	step staticcheck .build/staticcheck -tags soak ./...
	step 'staticcheck, browser' in_browser .build/staticcheck
else
	echo 'check: staticcheck does not build (message above)'
	failed=1
fi
step floors go test -count=1 -run '^TestFloors' ./core
exit $failed
