// The page of the tests: starts the worker that the query names and keeps what it posts.
"use strict";
const worker = new Worker(new URLSearchParams(location.search).get("worker"));
globalThis.messages = [];
worker.onmessage = (e) => messages.push(e.data);
worker.onerror = (e) => messages.push({ type: "failed", error: `${e.message} (${e.filename}:${e.lineno})` });
