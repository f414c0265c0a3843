// The worker that turns tables into rows: it is sent {type: "convert", name, blob, encoding} once, runs data.wasm on the blob and
// answers with {type: "progress", rows, done, total} and at last {type: "table", blob, rows, columns, encoding, notes} or
// {type: "failed", error}. Beside it lie Go's wasm_exec.js and the program.
"use strict";
importScripts("wasm_exec.js");

onmessage = async ({ data }) => {
  if (!data || data.type !== "convert") return;
  onmessage = null;
  const reader = new FileReaderSync();
  const many = 64;
  let parts = [];
  const fail = (error) => postMessage({ type: "failed", error });
  globalThis.table = {
    name: data.name,
    encoding: data.encoding || "",
    size: data.blob.size,
    read: (from, length) => new Uint8Array(reader.readAsArrayBuffer(data.blob.slice(from, from + length))),
    write: (bytes) => {
      // A blob's bytes are the browser's to keep, which may put them on disk.
      if (parts.push(bytes) >= many) parts = [new Blob(parts)];
    },
    progress: (rows, done, total) => postMessage({ type: "progress", rows, done, total }),
    done: (result) => postMessage({ type: "table", blob: new Blob(parts, { type: "application/jsonl" }), ...JSON.parse(result) }),
    failed: fail,
  };
  try {
    const go = new Go();
    go.argv = ["data"];
    const { instance } = await WebAssembly.instantiateStreaming(fetch("data.wasm"), go.importObject);
    let status = 0;
    go.exit = (code) => { status = code; };
    await go.run(instance);
    if (status) fail(`${data.name} could not be read: the program that reads tables ended. Is the file larger than the memory of a tab?`);
  } catch (e) {
    fail(`${data.name} could not be read: ${e && e.message || e}`);
  }
};
