// Part of every dashboard page, before MLflow's own scripts. At "localhost", MLflow's Assistant opens by
// itself on the first visit and takes a quarter of the window. It then remembers that it has done so. This
// lets the user open it.
"use strict";

(() => {
  const { assistantKey } = document.currentScript.dataset;
  try {
    if (localStorage.getItem(assistantKey) === null) localStorage.setItem(assistantKey, "true");
  } catch {
    // The browser stores nothing: MLflow's page cannot remember anything either.
  }
})();
