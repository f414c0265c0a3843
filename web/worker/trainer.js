// The trainer's worker: starts trainer.wasm on a file system that lasts, and passes messages on (core/wire says what they
// are). Beside it lie opfs.js, webgpu.js, Go's wasm_exec.js and the program.
"use strict";
importScripts("opfs.js", "webgpu.js", "wasm_exec.js");

(() => {
  const say = (message) => postMessage({ v: 1, ...message });
  const early = []; // what comes before the program listens
  const last = []; // lines of its output, for when it crashes
  fs.output = (fd, line) => {
    if (last.push(line) > 50) last.shift();
    console.log(line);
  };
  const deliver = (data) => {
    if (globalThis.receive) receive(JSON.stringify(data));
    else early.push(data);
  };
  globalThis.listening = () => { early.splice(0).forEach(deliver); };
  onmessage = async ({ data }) => {
    if (!data || data.type !== "put") {
      deliver(data);
      return;
    }
    // Files do not pass through the program: put {id, path, blob}.
    try {
      await mounted;
      await fs.put(data.path, data.blob);
      say({ type: "reply", id: data.id });
    } catch (e) {
      say({ type: "reply", id: data.id, error: `${data.path} could not be stored: ${e.message}` });
    }
  };
  const mounted = fs.mount();
  const start = async () => {
    await mounted;
    const go = new Go();
    go.argv = ["trainer"];
    go.env = { HOME: "/", TMPDIR: "/tmp" };
    const { instance } = await WebAssembly.instantiateStreaming(fetch("trainer.wasm"), go.importObject);
    globalThis.wasm = { instance }; // the WebGPU binding looks for it there
    await go.run(instance);
    throw new Error("the trainer ended: " + last.join("\n"));
  };
  start().catch((e) => say({ type: "failed", error: String((e && e.message) || e) }));
})();
