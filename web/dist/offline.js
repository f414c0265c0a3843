// Registers the service worker, and shows the element #update when a new release waits. Its button takes the release.
"use strict";

(() => {
  const workers = navigator.serviceWorker, script = new URL("../../sw.js", document.currentScript.src);
  if (!workers) return; // over plain http, but for this machine's own
  let taking = false;
  const offer = (worker) => {
    const notice = document.getElementById("update");
    notice.querySelector("button").addEventListener("click", () => {
      taking = true;
      worker.postMessage("take over");
    });
    notice.hidden = false;
  };
  workers.addEventListener("controllerchange", () => { if (taking) location.reload(); });
  const register = async () => {
    const known = await workers.register(script);
    if (known.waiting && workers.controller) offer(known.waiting);
    known.addEventListener("updatefound", () => {
      const next = known.installing;
      next.addEventListener("statechange", () => { if (next.state === "installed" && workers.controller) offer(next); });
    });
  };
  // After all that the page itself needs. A browser that forbids it (a private window) still shows the page.
  addEventListener("load", () => register().catch((e) => console.info("not kept for use without a network:", e.message)));
})();
