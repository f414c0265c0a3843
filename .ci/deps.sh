#!/usr/bin/env bash
# Installs what a fresh Debian or Ubuntu lacks for building, running and testing Hone, or prints the one line to type
# and exits 1. Says nothing and takes well under a second when all is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

have() { command -v "$1" >/dev/null 2>&1; }

have_library() { # libvulkan.so.1 → in the linker's cache? (ldconfig stands in /sbin, which may not be in PATH)
	PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -F "$1 " >/dev/null
}

have_lavapipe() { compgen -G '/usr/share/vulkan/icd.d/lvp_icd*.json' >/dev/null; }

on_ubuntu() { grep -qs '^ID=ubuntu' /etc/os-release; }

have_browser() { have chromium || have google-chrome || have google-chrome-stable; }

# Ubuntu's chromium-browser is a snap, which not every machine can run: there the tests get a browser from npm.
npm_browser() { on_ubuntu && [ "$(uname -m)" = x86_64 ] && ! have_browser; }

have_headers() { [ -e /usr/include/stdio.h ]; }

missing=()
need() {
	missing=()
	{ have gcc && have_headers; } || missing+=(build-essential)
	have_library libvulkan.so.1 || missing+=(libvulkan1)
	have_lavapipe || missing+=(mesa-vulkan-drivers)
	have npm || missing+=(npm)
	if npm_browser; then
		have_library libnss3.so || missing+=(libnss3)
	elif on_ubuntu; then
		have_browser || have chromium-browser || missing+=(chromium-browser)
	else
		have_browser || missing+=(chromium)
	fi
}

if ! have go; then
	echo "deps: Go is not installed. Hone needs Go 1.21 or newer (it fetches the release named in go.mod by itself). Type:" >&2
	echo "  sudo apt-get update && sudo apt-get install -y golang-go    # on Debian 12: golang-go/bookworm-backports, or https://go.dev/dl" >&2
	exit 1
fi

need
if [ ${#missing[@]} -gt 0 ]; then
	if ! have apt-get; then
		echo "deps: missing: ${missing[*]} (Debian's names), and there is no apt-get here. Install them, then run make again." >&2
		exit 1
	fi
	if [ "$(id -u)" -eq 0 ]; then
		root=()
	elif have sudo && sudo -n true 2>/dev/null; then
		root=(sudo -n)
	else
		echo "deps: missing: ${missing[*]}. Type:" >&2
		echo "  sudo apt-get update && sudo apt-get install -y --no-install-recommends ${missing[*]}" >&2
		exit 1
	fi
	mkdir -p .build
	apt() { # what it says is of interest only when it fails
		"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 "$@" >.build/apt.log 2>&1 || {
			cat .build/apt.log >&2
			echo "deps: apt-get $1 failed (messages above): install ${missing[*]}, then run make again." >&2
			exit 1
		}
	}
	echo "deps: installing ${missing[*]} (minutes on a bare machine)"
	apt update
	apt install -y --no-install-recommends "${missing[@]}"
	need
	if [ ${#missing[@]} -gt 0 ]; then
		echo "deps: apt reported success, and still missing: ${missing[*]}. .build/apt.log has its messages." >&2
		exit 1
	fi
fi

if npm_browser; then .ci/chromium.sh; fi

# A clone whose modules are all in the cache needs no network for this. Without GOEXPERIMENT: the Go that is installed may
# be too old to know it, and still has to fetch its successor.
env -u GOEXPERIMENT go mod download || {
	echo "deps: Go modules, or the Go release named in go.mod, could not be fetched (message above). Check the network or GOPROXY, then run make again." >&2
	exit 1
}
if [ package-lock.json -nt node_modules/.package-lock.json ]; then
	npm ci --no-audit --no-fund --loglevel=error >/dev/null || {
		echo "deps: npm could not fetch the page's packages (message above). Check the network or npm's registry setting, then run make again." >&2
		exit 1
	}
fi
