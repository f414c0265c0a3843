// The trainer's worker: starts trainer.wasm on a file system that lasts, and passes messages on. Beside it lie opfs.js, webgpu.js,
// Go's wasm_exec.js, the program, and bundle/ with what comes with it. The messages, all objects:
//
//	page to worker
//	  {type: "open", language, url, models, mirrors} first: the page is there (web/studio Opening)
//	  {type: "act", name, values}           what the user did (web/studio Act)
//	  {type: "frame", frame}                a request of core/wire, raw
//	  {type: "put", id, path, blob}         stores a file; "stored" says how far that is, and a "reply" with the id ends it, with an
//	                                        error where it could not be
//	  {type: "unput", id}                   ends the storing of a file; nothing of it stays
//	  {type: "take", path, name, mime}      asks for a file; a "file" comes back
//	  {type: "env", env}                    where hubs are (HF_ENDPOINT, MODELSCOPE_ENDPOINT) and their tokens
//	  {type: "hidden"}                      the page went out of sight and may be gone soon: the run that goes on is saved
//	  {type: "measure"}                     asks for a "measured": the heap after a collection, the memory taken, what WebGPU was asked for
//	  {type: "lose"}                        takes the graphics card away, as drivers do: for tests
//	worker to page
//	  {type: "update", fragments, …}        what changes on the page (web/studio Update)
//	  {type: "frame", frame}                a reply, a part or an event of core/wire, to a page that has sent a frame
//	  {type: "host"}, {type: "watching"}    this tab has the files and the runs; another tab has them, and is asked in this one's place
//	  {type: "file", path, name, mime, blob} to be saved by the user
//	  {type: "measured", heap, memory, gpu} bytes, bytes, counts (webgpu.js)
//	  {type: "stored", id, bytes}           of "put"
//	  {type: "reply", id, error}            to "put"
//	  {type: "failed", error, reason}       the worker cannot work; reason: "insecure" address, "storeless" browser, or none that is known
"use strict";
importScripts("opfs.js", "webgpu.js", "wasm_exec.js");

(() => {
  const early = []; // what comes before the program listens
  const last = []; // lines of its output, for when it crashes
  fs.output = (fd, line) => {
    if (last.push(line) > 50) last.shift();
    console.log(line);
  };
  globalThis.say = (json) => postMessage(JSON.parse(json));
  const deliver = (data) => {
    if (globalThis.receive) receive(JSON.stringify(data));
    else early.push(data);
  };
  globalThis.listening = () => { early.splice(0).forEach(deliver); };

  // Files do not pass through the program.
  globalThis.handOut = async (path, name, mime) => {
    try {
      const file = await fs.file(path);
      postMessage({ type: "file", path, name, mime, blob: new Blob([file], { type: mime }) });
    } catch (e) {
      postMessage({ type: "failed", error: `${path} cannot be read: ${e.message}` });
    }
  };
  const puts = new Map(); // what ends them
  const put = async ({ id, path, blob }) => {
    const end = new AbortController();
    puts.set(id, end);
    try {
      await mounted;
      await fs.put(path, blob, { signal: end.signal, progress: (bytes) => postMessage({ type: "stored", id, bytes }) });
      postMessage({ type: "reply", id });
    } catch (e) {
      postMessage({ type: "reply", id, error: `${path} could not be stored: ${e.message}` });
    }
    puts.delete(id);
  };
  onmessage = ({ data }) => {
    switch (data && data.type) {
      case "put": put(data); break;
      case "unput": puts.get(data.id)?.abort(); break;
      case "take": handOut(data.path, data.name, data.mime); break;
      case "lose": honeWebGPU.lose(); break;
      default: deliver(data);
    }
  };

  // The list of what comes with the program arrives while that is compiled; without it the program asks, and says what is wrong.
  globalThis.manifest = fetch("bundle/manifest.json").then((answer) => answer.ok ? answer.text() : "", () => "");
  const mounted = fs.mount();
  mounted.catch(() => {}); // start says so
  const program = WebAssembly.compileStreaming(fetch("trainer.wasm"));
  const start = async () => {
    const go = new Go();
    go.argv = ["trainer"];
    go.env = { HOME: "/", TMPDIR: "/tmp", HONE_HOME: "/" };
    const instance = await WebAssembly.instantiate(await program, go.importObject);
    await mounted;
    globalThis.wasm = { instance }; // the WebGPU binding looks for it there
    await go.run(instance);
    throw new Error("the trainer ended: " + last.join("\n"));
  };
  // Why no page of this address, or of this browser, can work.
  const reason = !isSecureContext ? "insecure" : !navigator.storage?.getDirectory ? "storeless" : undefined;
  start().catch((e) => postMessage({ type: "failed", error: String((e && e.message) || e), reason }));
})();
