// The page's side: hands what the user does to the worker, puts in the place what the worker draws, draws the curves. What is
// shown and why is decided in Go (web/studio), in the worker.
"use strict";

(() => {
  const assets = new URL(".", document.currentScript.src);
  const worker = new Worker(new URL("trainer.js", assets));
  const charts = new Map(); // by id of their element: {plot, data}
  const waiting = new Map(); // files that are being stored, by number
  let number = 0;
  const send = (message) => worker.postMessage(message);
  const act = (name, values = {}) => send({ type: "act", name, values });
  const $ = (id) => document.getElementById(id);

  // Drawing: the new part is compared with the old one, so that focus, selection and what is unfolded stay.
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id || "") === (b.id || "");
  const morph = (old, now) => {
    if (old.nodeType !== Node.ELEMENT_NODE) {
      if (old.data !== now.data) old.data = now.data;
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!now.hasAttribute(name) && !(name === "open" || old.hasAttribute("data-keep") && name === "class")) old.removeAttribute(name);
    }
    for (const { name, value } of now.attributes) {
      if (old.getAttribute(name) === value || name === "open") continue;
      old.setAttribute(name, value);
      if (name === "value" && old !== document.activeElement && "value" in old) old.value = value;
    }
    if (old.hasAttribute("data-keep")) return;
    if (old !== document.activeElement) {
      if (old.type === "checkbox" || old.type === "radio") old.checked = now.hasAttribute("checked");
      if (old.nodeName === "OPTION") old.selected = now.hasAttribute("selected");
    }
    if (old.nodeName === "TEXTAREA") {
      if (old.defaultValue !== now.defaultValue) { old.defaultValue = now.defaultValue; old.value = now.defaultValue; }
      return;
    }
    let at = old.firstChild;
    for (const child of [...now.childNodes]) {
      let match = at;
      if (child.id) {
        const there = [...old.childNodes].find((c) => c.id === child.id && same(c, child));
        if (there && there !== at) old.insertBefore(there, at);
        match = there || null;
      }
      if (match && same(match, child)) {
        at = match.nextSibling;
        morph(match, child);
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) { const next = at.nextSibling; at.remove(); at = next; }
  };
  const draw = ({ id, html }) => {
    const old = $(id);
    if (!old) return;
    const template = document.createElement("template");
    template.innerHTML = html;
    if (template.content.firstElementChild) morph(old, template.content.firstElementChild);
  };

  // Curves.
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const strokes = ["--curve-1", "--curve-2", "--curve-3", "--curve-4", "--curve-5", "--curve-6"];
  const plot = (update) => {
    const element = $(update.id);
    const known = charts.get(update.id);
    if (known) known.plot.destroy();
    if (!element || !window.uPlot) return;
    const axis = () => ({ stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } });
    const options = {
      width: Math.max(200, element.clientWidth), height: element.parentElement.classList.contains("wide") ? 260 : 160,
      legend: { show: update.lines.length > 1 },
      cursor: { drag: { x: false, y: false } },
      scales: { x: { time: false }, y: update.log ? { distr: 3 } : {} },
      axes: [axis(), { ...axis(), size: 62 }],
      series: [{ label: update.x_label }, ...update.lines.map((line, i) => ({
        label: line.label, stroke: colour(strokes[(line.colour ?? i) % strokes.length]), width: line.thin ? 1 : 2, alpha: line.thin ? 0.4 : 1, spanGaps: true,
        points: { show: line.points || false },
      }))],
    };
    element.textContent = "";
    charts.set(update.id, { plot: new uPlot(options, [update.x, ...update.lines.map((l) => l.y)], element), update });
  };
  const again = () => { for (const { update } of [...charts.values()]) plot(update); };
  let resizing = 0;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(again, 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);

  const fail = (text) => {
    const box = $("failure");
    box.querySelector("span").textContent = box.dataset.text.replace("%s", text);
    box.hidden = false;
  };
  const download = (blob, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };

  const marks = globalThis.honeMarks = { begun: performance.now() };
  worker.onmessage = ({ data }) => {
    switch (data.type) {
      case "update":
        for (const fragment of data.fragments || []) draw(fragment);
        for (const chart of data.charts || []) plot(chart);
        if (data.title) document.title = data.title;
        if (data.language) document.documentElement.lang = data.language;
        if (data.url) history.replaceState(null, "", data.url);
        if (data.text) download(new Blob([data.text.body], { type: data.text.mime }), data.text.name);
        for (const mark of data.marks || []) marks[mark] ??= performance.now();
        break;
      case "reply":
        if (waiting.has(data.id)) { waiting.get(data.id)(data.error || ""); waiting.delete(data.id); }
        break;
      case "file":
        download(data.blob, data.name);
        break;
      case "failed":
        fail(data.error);
        break;
    }
  };
  worker.onerror = (e) => fail(e.message || "");

  // What the user does. data-act names an act for the worker; its values are the fields of the form around it, the element's
  // own value and its data-v-… attributes. data-page names what the page does by itself.
  const values = (element, form) => {
    const all = {};
    const add = (name, value) => { if (name && typeof value === "string") (all[name] ??= []).push(value); };
    if (form) for (const [name, value] of new FormData(form)) add(name, value);
    if (element.name && element.form !== form) {
      if (element.type === "checkbox") { add(element.name, element.value); add("checked", String(element.checked)); } else add(element.name, element.value);
    }
    for (const [key, value] of Object.entries(element.dataset)) {
      if (key.startsWith("v") && key.length > 1 && key[1] === key[1].toUpperCase()) add(key.slice(1).toLowerCase(), value);
    }
    return all;
  };
  const page = {
    reload: () => location.reload(),
    persist: async () => { if (navigator.storage && navigator.storage.persist) await navigator.storage.persist(); act("storage"); },
    copy: (element) => navigator.clipboard.writeText($(element.dataset.of).textContent),
    share: () => act("share"),
    theme: () => {
      const root = document.documentElement;
      const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
      root.dataset.theme = dark ? "light" : "dark";
      localStorage.setItem("theme", root.dataset.theme);
      again();
    },
  };
  if (localStorage.getItem("theme")) document.documentElement.dataset.theme = localStorage.getItem("theme");

  document.addEventListener("click", (e) => {
    const element = e.target.closest("button[data-act], button[data-page]");
    if (!element || element.disabled) return;
    if (element.dataset.page) page[element.dataset.page](element);
    else act(element.dataset.act, values(element, null));
  });
  document.addEventListener("submit", (e) => {
    e.preventDefault();
    if (e.target.dataset.act) act(e.target.dataset.act, values(e.target, e.target));
  });
  document.addEventListener("change", (e) => {
    const element = e.target;
    if (element.dataset.put) { put(element.dataset.put, [...element.files]); element.value = ""; return; }
    if (element.dataset.text) {
      element.files[0]?.text().then((text) => act(element.dataset.text, { text: [text] }));
      element.value = "";
      return;
    }
    if (element.dataset.act && element.nodeName !== "FORM") act(element.dataset.act, values(element, null));
  });

  // Files are stored by the worker without passing through the program, which is then told of them.
  const put = async (kind, files) => {
    const paths = [];
    const folder = files.find((f) => f.webkitRelativePath)?.webkitRelativePath.split("/")[0];
    const base = kind === "models" ? `models/${folder || stem(files)}/` : "data/";
    for (const file of files) {
      const inner = file.webkitRelativePath ? file.webkitRelativePath.split("/").slice(1).join("/") : file.name;
      const path = base + inner;
      const id = ++number;
      const error = await new Promise((done) => { waiting.set(id, done); send({ type: "put", id, path: "/" + path, blob: file }); });
      if (error) { act("put_failed", { kind: [kind], error: [error] }); return; }
      paths.push(path);
    }
    if (paths.length) act("put_done", { kind: [kind], base: [base], path: paths });
  };
  const stem = (files) => (files.find((f) => f.name.endsWith(".safetensors")) || files[0]).name.replace(/[-.]?model.*$|\.[^.]*$/g, "") || "my-model";
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (e) => {
      const zone = e.target.closest?.("[data-drop]");
      if (name !== "dragleave" && e.dataTransfer?.types.includes("Files")) e.preventDefault();
      if (!zone) return;
      zone.classList.toggle("over", name === "dragover");
      if (name === "drop") put(zone.dataset.drop, [...e.dataTransfer.files]);
    });
  }

  send({ type: "open", language: document.documentElement.lang, url: location.href });
})();
