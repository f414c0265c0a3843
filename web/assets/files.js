// Files on their way in and out: what the user chose or dropped goes to the worker, what a run made comes from the origin
// private file system. Nothing of it goes over the network.

/** chosen lists the files of an <input type=file> as [{path, file}]. */
export const chosen = (input) => [...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file }));

/** dropped lists what was dropped, folders with all that lies in them. Call it within the event. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((i) => i.webkitGetAsEntry?.()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files].map((file) => ({ path: file.name, file }));
  return (await Promise.all(entries.map(walk))).flat();
}

async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((ok, no) => entry.file(ok, no));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader(), all = [];
  for (;;) { // it tells a hundred at a time
    const some = await new Promise((ok, no) => reader.readEntries(ok, no));
    if (some.length === 0) break;
    all.push(...some);
  }
  return (await Promise.all(all.map(walk))).flat();
}

/**
 * places says where files are wanted: rows in data/, those of a model together in models/NAME/. It gives that folder and
 * [{path, file}], with paths within it. What is there already stays: the worker takes another name beside it.
 */
export function places(kind, files) {
  // A comma separates the files of a recipe.
  const clean = (s) => s.split("/").filter((p) => p && p !== "." && p !== "..").join("/").replaceAll(",", "_");
  const shown = files.filter(({ path }) => !path.split("/").some((p) => p.startsWith(".")));
  if (kind === "data") return { base: "data/", list: shown.map(({ path, file }) => ({ path: clean(path).replaceAll("/", "-"), file })) };
  const top = shown.length > 0 && shown.every(({ path }) => path.includes("/")) ? clean(shown[0].path.split("/")[0]) : "";
  const base = `models/${top || stem(shown.map(({ path }) => path))}/`;
  return { base, list: shown.map(({ path, file }) => ({ path: clean(top ? path.split("/").slice(1).join("/") : path), file })) };
}

// A name for files that came without a folder: that of the weights, if it says anything.
const stem = (names) => {
  const adapter = names.some((n) => n.startsWith("adapter_"));
  return (names.find((n) => n.endsWith(".safetensors")) || "").replace(/(adapter_|[-.])?model.*$|\.[^.]*$/g, "") || (adapter ? "my-adapter" : "my-model");
};

/** isTable reports whether a file's rows have to be taken out of it first. */
export const isTable = (name) => /\.(csv|tsv|parquet)$/i.test(name);

/** save gives the user a file. */
export function save(blob, name) {
  const a = document.createElement("a"), url = URL.createObjectURL(blob);
  a.href = url;
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the browser may still be reading it
}
