// Stands in for the trainer's worker in tests: the studio runs in the test, and this hands its messages to and fro.
"use strict";
const tab = "tab/" + Math.random().toString(36).slice(2);
let turn = Promise.resolve();
onmessage = ({ data }) => {
  if (data.type === "put") {
    postMessage({ type: "reply", id: data.id, path: data.path });
    return;
  }
  if (data.type === "place") {
    postMessage({ type: "reply", id: data.id, base: data.base });
    return;
  }
  turn = turn.then(() => fetch(tab, { method: "POST", body: JSON.stringify(data) })); // in the order in which they were said
};
new EventSource(tab + "/updates").onmessage = ({ data }) => postMessage(JSON.parse(data));
