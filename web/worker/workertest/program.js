// A worker that runs a Go test binary, named in the query of this script's address, and posts its output and exit status.
"use strict";
importScripts("opfs.js", "webgpu.js", "wasm_exec.js");

(async () => {
  const go = new Go();
  let output = "", status = 0;
  fs.output = (_, line) => { output += line + "\n"; };
  await fs.mount();
  const query = new URLSearchParams(location.search);
  go.argv = [query.get("program"), "-test.v", ...query.getAll("arg")];
  go.env = { HOME: "/", TMPDIR: "/tmp", HONE_REQUIRE_WEBGPU: "1" };
  go.exit = (code) => { status = code; };
  const { instance } = await WebAssembly.instantiateStreaming(fetch(query.get("program") + ".wasm"), go.importObject);
  globalThis.wasm = { instance }; // the WebGPU binding looks for it there
  await go.run(instance);
  postMessage({ output, status });
})().catch((e) => postMessage({ error: String((e && e.stack) || e) }));
