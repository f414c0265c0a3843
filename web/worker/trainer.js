// The trainer's worker: starts trainer.wasm on a file system that lasts, and passes messages on. Beside it lie opfs.js, webgpu.js,
// Go's wasm_exec.js, the program, and bundle/ with what comes with it. The messages, all objects:
//
//	page to worker
//	  {type: "open", language, url, models, mirrors} first: the page is there (web/studio Opening)
//	  {type: "act", name, values}           what the user did (web/studio Act)
//	  {type: "frame", frame}                a request of core/wire, raw
//	  {type: "put", id, path, blob, table}  stores a file, or the rows of a table, whose name is table; "stored" says how far that is, and
//	                                        a "reply" with the id ends it, with its path or an error. What is there already stays: another
//	                                        file takes another name beside it
//	  {type: "place", id, base, list}       asks where the files of a model, [{path, file}], can be stored; a "reply" says the folder, base
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
//	  {type: "stored", id, bytes, total}    of "put"; {…, rows} of the rows of a table
//	  {type: "reply", id, error, path, notes} to "put"; notes: what the user should know of a table
//	  {type: "reply", id, error, base}      to "place"
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
  // The rows of a table as a Blob of JSONL, and notes for the user. A program of its own takes them out.
  const rows = (name, blob, signal, progress) => new Promise((ok, no) => {
    signal.throwIfAborted();
    const worker = new Worker("data.js");
    const end = (f, value) => {
      worker.terminate();
      f(value);
    };
    worker.onmessage = ({ data }) => {
      if (data.type === "progress") progress(data);
      else if (data.type === "table") end(ok, data);
      else if (data.type === "failed") end(no, new Error(data.error));
    };
    worker.onerror = (e) => end(no, new Error(`${name}: ${e.message}`));
    signal.addEventListener("abort", () => end(no, signal.reason));
    worker.postMessage({ type: "convert", name, blob, encoding: "" });
  });
  // The program asks for the rows of one that it has downloaded.
  globalThis.putRows = async (name, from, to, signal, progress) => {
    try {
      const table = await rows(name, await fs.file(from), signal, ({ done, total }) => progress(done, total));
      await fs.put(to, table.blob, { signal });
      return JSON.stringify(table.notes || []);
    } catch (e) {
      throw e.message; // without the kind of error
    }
  };
  const puts = new Map(); // what ends them
  let storing = Promise.resolve(); // one file after the other: two may have the same name
  const put = async ({ id, path, blob, table }) => {
    const end = new AbortController(), { signal } = end, before = storing;
    puts.set(id, end);
    let over;
    storing = new Promise((done) => { over = done; });
    try {
      let notes;
      if (table) ({ blob, notes } = await rows(table, blob, signal, ({ rows }) => postMessage({ type: "stored", id, rows })));
      await Promise.all([mounted, before]);
      signal.throwIfAborted();
      const { at, there } = await fs.vacant(path, new Map([["", blob]]));
      if (!there) await fs.put(at, blob, { signal, progress: (bytes) => postMessage({ type: "stored", id, bytes, total: blob.size }) });
      postMessage({ type: "reply", id, path: at, notes });
    } catch (e) {
      postMessage({ type: "reply", id, error: table ? e.message : `${path} could not be stored: ${e.message}` });
    }
    puts.delete(id);
    over();
  };
  const place = async ({ id, base, list }) => {
    try {
      await mounted;
      const { at } = await fs.vacant(base.replace(/\/$/, ""), new Map(list.map(({ path, file }) => [path, file])));
      postMessage({ type: "reply", id, base: at + "/" });
    } catch (e) {
      postMessage({ type: "reply", id, error: `${base} could not be stored: ${e.message}` });
    }
  };
  onmessage = ({ data }) => {
    switch (data && data.type) {
      case "put": put(data); break;
      case "place": place(data); break;
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
