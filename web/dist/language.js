// Goes on to the page in the reader's language, from the page that offers all of them.
"use strict";

(() => {
  const there = [...document.querySelectorAll("a[hreflang]")].map((a) => a.hreflang);
  const wanted = navigator.languages.map((l) => l.split("-")[0]).find((l) => there.includes(l)) || there[0];
  location.replace(wanted + "/" + location.search + location.hash);
})();
