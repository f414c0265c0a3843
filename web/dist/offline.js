// Registers the service worker, and shows the element #update when a new release waits. Its button takes the release.
"use strict";

(() => {
  const workers = navigator.serviceWorker, script = new URL("../../sw.js", document.currentScript.src);
  if (!workers) return; // over plain http, but for this machine's own
  let taking = false;
  // The page has all that it starts with, or has not got it in a while. Until then the release is not fetched for later: that would
  // take the processor and the line from the trainer's start. And a worker that is told to take over while the present one still
  // answers the page is held back, in Chromium for minutes.
  const atRest = async () => {
    for (let waited = 0; waited < 15_000 && !(globalThis.honeMarks?.ready < performance.now() - 1000); waited += 250) {
      await new Promise((done) => setTimeout(done, 250));
    }
  };
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
    await atRest();
    const known = await workers.register(script);
    if (known.waiting && workers.controller) offer(known.waiting);
    known.addEventListener("updatefound", () => {
      const next = known.installing;
      next.addEventListener("statechange", () => { if (next.state === "installed" && workers.controller) offer(next); });
    });
  };
  // A browser that forbids it (a private window) still shows the page.
  addEventListener("load", () => register().catch((e) => console.info("not kept for use without a network:", e.message)));
})();
