#!/usr/bin/env bash
# Puts a headless Chromium into .build/chromium, from npm. For Ubuntu, whose own Chromium is a snap: it neither runs in a
# container nor reads the tests' temporary folders. Says nothing when it is there.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

version=153.0.0
into=.build/chromium
[ ! -x "$into/chromium" ] || exit 0

echo "deps: fetching a headless Chromium $version with npm (70 MB)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "@sparticuz/chromium@$version" >/dev/null) || {
	echo "deps: npm could not fetch Chromium (message above). Check the network or npm's registry setting, then run make again." >&2
	exit 1
}
tar -xzf "$work"/*.tgz -C "$work"
mkdir -p "$work/out" "$into"
node -e '
const { brotliDecompressSync } = require("zlib"), fs = require("fs"), [from, to] = process.argv.slice(1);
for (const [name, as] of [["chromium.br", "chromium"], ["swiftshader.tar.br", "swiftshader.tar"]])
  fs.writeFileSync(`${to}/${as}`, brotliDecompressSync(fs.readFileSync(`${from}/${name}`)), { mode: 0o755 });
' "$work/package/bin" "$work/out"
tar -xf "$work/out/swiftshader.tar" -C "$work/out"
rm "$work/out/swiftshader.tar"
mv "$work/out/chromium" "$work/chromium"
mv "$work"/out/* "$into/"
mv "$work/chromium" "$into/chromium" # last: its presence says that all is there
"$into/chromium" --version >/dev/null || {
	echo "deps: the Chromium in $into does not start (message above); remove the folder, install what is missing, and run make again." >&2
	exit 1
}
