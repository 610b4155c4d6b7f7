// Part of the trace page, which notebooks show in a frame below a cell. MLflow's links from it to the
// dashboard start at the root of the host ("/#/experiments/1/traces"), where JupyterLab is. They get the
// dashboard's address, and open in another tab: the frame is too small for the dashboard.
"use strict";

(() => {
  const { base, isTracePage } = document.currentScript.dataset;
  if (!isTracePage) return;
  const dashboard = new URL(base, location.href);

  function correct(link) {
    const target = link.getAttribute("href");
    const isAbsolute = target.startsWith("/") && !target.startsWith(dashboard.pathname);
    if (isAbsolute) link.setAttribute("href", dashboard.href + target.slice(1));
    link.target = "_blank";
  }

  const LINKS = 'a[href^="/"]:not([href^="//"]), a[href^="#/"]:not([target])';
  const correctAll = () => document.querySelectorAll(LINKS).forEach(correct);
  new MutationObserver(correctAll).observe(document, {
    subtree: true, childList: true, attributeFilter: ["href"],
  });

  // JupyterLab takes the link if the user has links open in its own tab of MLflow.
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[target=_blank]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    const question = new parent.CustomEvent("mlflow-link", { detail: link.href, cancelable: true });
    if (!parent.dispatchEvent(question)) event.preventDefault();
  });
})();
