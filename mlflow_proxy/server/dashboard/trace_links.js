// Part of the trace page, which notebooks show in a frame below a cell. MLflow's links from it to the
// dashboard start at the root of the host ("/#/experiments/1/traces"), where JupyterLab is. They get the
// dashboard's address, and open in a tab of their own: the frame is too small for the dashboard.
"use strict";

(() => {
  const { base, tracePage } = document.currentScript.dataset;
  const dashboard = new URL(base, location.href);
  if (location.pathname !== new URL(tracePage, dashboard).pathname) return;

  function correct(link) {
    const target = link.getAttribute("href");
    const isAbsolute = target.startsWith("/") && !target.startsWith(dashboard.pathname);
    if (isAbsolute) link.setAttribute("href", dashboard.href + target.slice(1));
    link.target = "_blank";
  }

  const LINKS = 'a[href^="/"]:not([href^="//"]), a[href^="#/"]:not([target])';
  new MutationObserver(() => document.querySelectorAll(LINKS).forEach(correct)).observe(document, {
    subtree: true,
    childList: true,
    attributeFilter: ["href"],
  });
})();
