// The page of the tests: starts the worker that the query names, keeps what it posts, and asks it what tests want to know.
"use strict";
const worker = new Worker(new URLSearchParams(location.search).get("worker"));
globalThis.messages = [];
globalThis.events = []; // frames of kind event
globalThis.parts = []; // frames of kind part
globalThis.failures = [];
const waiting = new Map(); // what a reply is waited for by, by its id
let last = 0;
const settle = (id, error, value) => {
  const w = waiting.get(id);
  waiting.delete(id);
  if (w) w({ error: error || "", value: value === undefined ? null : value });
};
worker.onmessage = ({ data }) => {
  const { type, frame } = data || {};
  globalThis.arrived ??= performance.now(); // the first message
  if (type !== "frame") messages.push(data);
  if (type === "frame" && frame.kind === "event") events.push(frame);
  if (type === "frame" && frame.kind === "part") parts.push(frame);
  if (type === "frame" && frame.kind === "reply") settle(frame.id, frame.error, frame.data);
  if (type === "reply") settle(data.id, data.error, data.path);
  if (type === "failed") failures.push(data.error);
  if (type === "measured") settle("measured", "", data);
  if (type === "file") settle(data.path, "", data);
};
worker.onerror = (e) => {
  messages.push({ type: "failed", error: `${e.message} (${e.filename}:${e.lineno})` });
  failures.push(e.message);
};
const wait = (id) => new Promise((done) => waiting.set(id, done));
const send = (message) => worker.postMessage(message);

// ask makes a request of core/wire; answer is {error, value}.
const ask = (name, data) => {
  const id = ++last;
  const reply = wait(id);
  send({ type: "frame", frame: { v: 1, kind: "request", id, name, data } });
  return reply;
};
// store stores a file, put one that the tests' server has.
const store = (path, blob) => {
  const id = ++last;
  const reply = wait(id);
  send({ type: "put", id, path, blob });
  return reply;
};
const put = async (path, address) => store(path, await (await fetch(address)).blob());
// measure asks the worker for its figures.
const measure = async () => {
  const reply = wait("measured");
  send({ type: "measure" });
  return (await reply).value;
};
// take gives a file of the worker, as base64.
const take = async (path) => {
  const reply = wait(path);
  send({ type: "take", path, name: path, mime: "application/octet-stream" });
  const { value } = await reply;
  const bytes = new Uint8Array(await value.blob.arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
};
