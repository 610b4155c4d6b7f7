// Part of the dashboard's page, before MLflow's own scripts. Until these have drawn the page, the browser
// shows an empty one, which is white. Where MLflow is going to be dark, the empty page is dark as well.
"use strict";

(() => {
  const { isTracePage } = document.currentScript.dataset;
  if (isTracePage || !isDark()) return; // the trace page has no theme of its own
  const DARK = "#11171c"; // MLflow's background, and that of the loading page
  const style = document.createElement("style");
  // MLflow's style sheet, which may come before its scripts, makes the body white.
  style.textContent = `html { color-scheme: dark } html, body { background: ${DARK} !important }`;
  document.head.append(style);

  // MLflow sets a class of the body to its theme, also when the user changes that.
  const observer = new MutationObserver(() => {
    if (!document.body?.classList.length) return;
    observer.disconnect();
    style.remove();
  });
  observer.observe(document, { subtree: true, childList: true, attributeFilter: ["class"] });
})();
