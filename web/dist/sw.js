// The service worker: keeps a release so that the page works without a network. The line in front of this, which the program
// writes, says which release and which files: const release = {name, files}, paths from the folder of this script.
//
// A release is served whole from its cache. The next one is fetched beside it and waits until the page asks for it, so
// nothing changes under a run.
"use strict";

const root = new URL("./", location.href);
const prefix = `hone ${root.pathname} `;
const kept = prefix + release.name;

const keep = async (cache, path) => {
  const address = new URL(path, root);
  // What has the release's hash in its address never changes; the rest must not come from the browser's own cache.
  const got = await fetch(new Request(address, { cache: path.startsWith("a/") ? "default" : "no-cache" }));
  if (!got.ok) throw new Error(`${address}: ${got.status}`);
  // Some hosts send on from index.html to its folder; a browser opens no page from a cache that remembers having been sent on.
  await cache.put(address, got.redirected ? new Response(await got.blob(), { headers: got.headers }) : got);
};

addEventListener("install", (e) => e.waitUntil((async () => {
  await caches.delete(kept); // of an installation that was cut short
  const cache = await caches.open(kept);
  await Promise.all(release.files.map((path) => keep(cache, path)));
})()));

addEventListener("activate", (e) => e.waitUntil((async () => {
  // Tabs that were opened with the release before this one still load its parts; older ones go.
  const names = (await caches.keys()).filter((name) => name.startsWith(prefix));
  await Promise.all(names.slice(0, -2).map((name) => caches.delete(name)));
  await clients.claim();
})()));

addEventListener("message", (e) => { if (e.data === "take over") skipWaiting(); });

addEventListener("fetch", (e) => {
  const url = new URL(e.request.url);
  if (e.request.method !== "GET" || url.origin !== root.origin || !url.pathname.startsWith(root.pathname)) return;
  const path = url.pathname.slice(root.pathname.length) || "index.html";
  const immutable = path.startsWith("a/");
  if (!immutable && !release.files.includes(path)) return; // hubs, models: always from the network
  e.respondWith((async () => {
    const from = immutable ? caches : await caches.open(kept);
    return await from.match(new URL(path, root), { ignoreVary: true }) || fetch(e.request);
  })());
});
