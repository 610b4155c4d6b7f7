// Before the page is drawn: the theme of MLflow's dashboard, which follows this page. That is the one that
// MLflow has stored, or else the browser's.
"use strict";

(() => {
  const { themeKey } = document.currentScript.dataset;
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  function apply() {
    let stored = null;
    try {
      stored = localStorage.getItem(themeKey);
    } catch {
      // The browser forbids storage.
    }
    const isDark = stored === null ? prefersDark.matches : stored === "true";
    document.documentElement.dataset.theme = isDark ? "dark" : "light";
  }

  apply();
  prefersDark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
})();
