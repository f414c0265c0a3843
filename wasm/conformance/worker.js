// A dedicated worker that starts a Go program, named in the query of this script's address: "conformance" finds what it is
// to run in `sent`; any other is a test binary, whose output and exit status are posted.
importScripts("webgpu.js", "wasm_exec.js");

(async () => {
  const program = new URLSearchParams(location.search).get("program") || "conformance";
  const go = new Go();
  let output = "", status = 0;
  if (program === "conformance") {
    globalThis.sent = await (await fetch("case.json")).text();
  } else {
    const decoder = new TextDecoder();
    globalThis.fs.writeSync = (_, bytes) => {
      output += decoder.decode(bytes, { stream: true });
      return bytes.length;
    };
    go.argv = [program, "-test.v"];
    go.env = { HONE_REQUIRE_WEBGPU: "1" };
    go.exit = (code) => { status = code; };
  }
  const { instance } = await WebAssembly.instantiateStreaming(fetch(program + ".wasm"), go.importObject);
  globalThis.wasm = { instance }; // the WebGPU binding looks for it there
  await go.run(instance);
  postMessage(JSON.stringify({ output, status }));
})().catch((e) => postMessage(JSON.stringify({ error: String((e && e.stack) || e) })));
