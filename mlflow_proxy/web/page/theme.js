// Before the page is drawn: the theme of MLflow's dashboard, which follows this page (see lab_theme.js).
"use strict";

(() => {
  const apply = () => {
    document.documentElement.dataset.theme = theme.isDark() ? "dark" : "light";
  };
  apply();
  theme.onChange(apply);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
  window.addEventListener("storage", apply);
})();
