// The page's side: hands what the user does to the worker, puts in the place what the worker draws, draws the curves. What is
// shown and why is decided in Go (web/studio), in the worker.
import { morph } from "./morph.js";
import { draw, repaint } from "./charts.js";
import { chosen, dropped, isTable, places, save } from "./files.js";

const root = document.documentElement, $ = (id) => document.getElementById(id);
const worker = new Worker(new URL("trainer.js", import.meta.url));
const waiting = new Map(); // files that are being stored, by number: {done, progress}
const ends = { models: new Set(), data: new Set() }; // what ends the storing that goes on
let number = 0;
const marks = globalThis.honeMarks = { begun: performance.now() }; // for who measures the page

const send = (message) => worker.postMessage(message);
const act = (name, values = {}) => send({ type: "act", name, values });

worker.onmessage = ({ data }) => {
  switch (data.type) {
    case "update": update(data); break;
    case "stored": waiting.get(data.id)?.progress(data); break;
    case "reply":
      waiting.get(data.id)?.done(data);
      waiting.delete(data.id);
      break;
    case "file": save(data.blob, data.name); break;
    case "failed": fail(data.error, data.reason); break;
  }
};
worker.onerror = (e) => fail(e.message || "");

function update({ fragments = [], charts = [], title, language, url, text, keep, marks: reached = [] }) {
  for (const { id, html } of fragments) {
    const old = $(id), template = document.createElement("template");
    template.innerHTML = html;
    if (old && template.content.firstElementChild) morph(old, template.content.firstElementChild);
  }
  for (const chart of charts) setTimeout(draw, 0, chart); // each a task of its own: none keeps the page from hearing its user for long
  if (title) document.title = title;
  if (language) root.lang = language;
  if (url && url !== location.href) history.replaceState(null, "", url);
  if (keep) own.persist();
  if (text) save(new Blob([text.body], { type: text.mime }), text.name);
  for (const mark of reached) marks[mark] ??= performance.now();
  if (fragments.length > 0) {
    early();
    inSight();
  }
}

// said is what the page says on an occasion, in its language.
const said = (occasion) => $("said").dataset[occasion];

function fail(text, reason) {
  const box = $("failure");
  box.querySelector("span").textContent = said(reason) || said("broken").replace("%s", () => text);
  box.hidden = false;
}

function toast(text) {
  const box = $("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(toast.timer);
  toast.timer = setTimeout(() => box.classList.remove("shown"), 4000);
}

// What the user does. data-act names an act for the worker; its values are the element's data-v-… attributes, its own value, and
// the fields of a form.
function values(e) {
  const all = {};
  const add = (k, v) => { if (k && typeof v === "string") (all[k] ??= []).push(v); };
  for (const [k, v] of Object.entries(e.dataset)) if (/^v[A-Z]/.test(k)) add(k.slice(1).toLowerCase(), v);
  if (e.nodeName === "FORM") {
    for (const [k, v] of new FormData(e)) add(k, v);
  } else {
    add(e.name, e.value);
    if (e.type === "checkbox") add("checked", String(e.checked));
  }
  return all;
}

// asked sends the worker something that it replies to.
async function asked(message, signal, progress) {
  const reply = await new Promise((done) => {
    const id = ++number;
    waiting.set(id, { done, progress });
    signal.addEventListener("abort", () => send({ type: "unput", id }));
    send({ id, ...message });
  });
  signal.throwIfAborted();
  if (reply.error) throw new Error(reply.error);
  return reply;
}

// Files are stored by the worker without passing through the program, which is then told of them. Of a table it stores the rows.
async function put(kind, files) {
  let { base, list } = places(kind, files);
  if (list.length === 0) return;
  const end = new AbortController(), { signal } = end;
  ends[kind].add(end);
  act("put_begun", { kind: [kind] });
  const paths = [], notes = [];
  try {
    if (kind === "models") base = (await asked({ type: "place", base, list }, signal)).base;
    for (const { path, file } of list) {
      const table = kind === "data" && isTable(path);
      const stored = await asked({ type: "put", path: base + path + (table ? ".jsonl" : ""), blob: file, table: table ? file.name : "" }, signal, ({ bytes, total, rows }) =>
        act("put_progress", { kind: [kind], file: [file.name], ...(rows ? { rows: [String(rows)] } : { bytes: [String(bytes)], total: [String(total)] }) }));
      notes.push(...(stored.notes || []));
      paths.push(stored.path);
    }
    act("put_done", { kind: [kind], base: [base], path: paths, note: notes });
  } catch (e) {
    if (signal.aborted) act("put_ended", { kind: [kind] });
    else act("put_failed", { kind: [kind], error: [e.message] });
  } finally {
    ends[kind].delete(end);
  }
}

// What the page does by itself, by data-page.
const own = {
  reload: () => location.reload(),
  example: (e) => { $("prompt").value = e.dataset.vPrompt; }, // also over what the user has typed
  unput: (e) => ends[e.dataset.of].forEach((end) => end.abort()),
  persist: async () => act("storage", { kept: [String(await navigator.storage.persist())] }),
  copy: async (e) => {
    await navigator.clipboard.writeText($(e.dataset.of).textContent);
    toast(said("copied"));
  },
  share: () => {
    const before = location.href;
    act("share");
    const look = setInterval(async () => { // the worker writes the recipe into the address
      if (location.href === before && performance.now() < end) return;
      clearInterval(look);
      const copied = await navigator.clipboard.writeText(location.href).then(() => true, () => false); // not every browser lets it
      if (copied) history.replaceState(null, "", before); // opened again, the page is to show what was done since
      toast(said(copied ? "link" : "address"));
    }, 50), end = performance.now() + 1000;
  },
  theme: () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* it lasts as long as the page */ }
    repaint();
  },
};

// What can be pressed before the worker is there: it does it then, once.
let pressed = false;
function early() {
  for (const e of document.querySelectorAll("[data-early]")) {
    e.disabled = false;
    if (pressed) e.setAttribute("aria-disabled", "true");
  }
}

addEventListener("click", (event) => {
  const e = event.target.closest?.("button, a[href^='#']");
  if (!e || e.disabled || e.getAttribute("aria-disabled") === "true") return;
  if ("early" in e.dataset) { // it waits for the worker; once is enough
    pressed = true;
    early();
    toast(said("early"));
  }
  if (e.dataset.page) Promise.resolve(own[e.dataset.page](e)).catch((error) => toast(error.message));
  if (e.dataset.act) act(e.dataset.act, values(e));
  if (e.dataset.to) $(e.dataset.to).scrollIntoView();
  if (e.hash) unfold(e.hash.slice(1));
});
addEventListener("submit", (event) => {
  event.preventDefault();
  if (event.target.dataset.act) act(event.target.dataset.act, values(event.target));
});
addEventListener("change", ({ target: e }) => {
  if (e.dataset.env) {
    surround(e);
  } else if (e.dataset.put) {
    put(e.dataset.put, chosen(e));
    e.value = "";
  } else if (e.dataset.text) {
    e.files[0]?.text().then((text) => act(e.dataset.text, { text: [text] }));
    e.value = "";
  } else if (e.dataset.act && e.type !== "range") {
    act(e.dataset.act, values(e));
  }
});
addEventListener("input", ({ target: e }) => { if (e.type === "range" && e.dataset.act) act(e.dataset.act, values(e)); });
addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && event.target.nodeName === "TEXTAREA") event.target.form?.requestSubmit();
});

// A file that is dropped beside a zone would make the browser leave the page, and the run with it.
let over = null;
const enter = (zone) => {
  if (zone === over) return;
  over?.classList.remove("over");
  over = zone;
  over?.classList.add("over");
};
const zone = (event) => event.target.closest?.("[data-drop]") || null;
addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  enter(zone(event));
});
addEventListener("dragleave", (event) => { if (!event.relatedTarget) enter(null); });
addEventListener("drop", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  enter(null);
  const kind = zone(event)?.dataset.drop;
  if (!kind) return;
  dropped(event.dataTransfer).then((files) => put(kind, files), (error) => act("put_failed", { kind: [kind], error: [error.message] }));
});

// A link to a stage unfolds it, and the stage in sight is marked among the links.
function unfold(id) {
  const fold = $(id)?.querySelector(":scope > details");
  if (fold) fold.open = true;
}
let current = "";
function inSight() {
  for (const a of document.querySelectorAll("nav a")) {
    if (a.hash.slice(1) === current) a.setAttribute("aria-current", "true");
    else a.removeAttribute("aria-current");
  }
}
const sight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) current = target.id;
    else if (current === target.id) current = "";
  }
  inSight();
}, { rootMargin: "-45% 0px -50%" });
for (const stage of document.querySelectorAll(".stage")) sight.observe(stage);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
unfold(location.hash.slice(1));

// Where hubs are, and their tokens, is what surrounds the worker. An address is remembered by this browser; a token is not.
function surround(e) {
  send({ type: "env", env: { [e.dataset.env]: e.value.trim() } });
  if (!("remember" in e.dataset)) return;
  try { localStorage.setItem(e.dataset.env, e.value.trim()); } catch { /* it lasts as long as the page */ }
}
for (const e of document.querySelectorAll("[data-remember]")) {
  try { e.value = localStorage.getItem(e.dataset.env) || ""; } catch { /* a browser that keeps nothing */ }
  if (e.value) surround(e);
}

// A page that is out of sight may be gone without a word: the worker saves the run.
document.addEventListener("visibilitychange", () => { if (document.hidden) send({ type: "hidden" }); });

early();
send({ type: "open", language: root.lang, url: location.href, models: "models" in document.body.dataset, mirrors: JSON.parse(document.body.dataset.mirrors) });
