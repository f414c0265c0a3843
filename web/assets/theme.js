// Runs before the first paint: the theme and nothing else, so that a page in the dark does not flash.
"use strict";
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* a browser that keeps nothing shows what the system wants */ }
