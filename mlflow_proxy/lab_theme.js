// Part of MLflow's pages and of the loading page, before what reads the theme. In a frame of JupyterLab
// they have JupyterLab's theme, unless the user has chosen the other one there. MLflow stores its theme
// on each load, chosen or not, and pages in browser tabs read it. A page in JupyterLab leaves that
// as it is, and stores a choice under a key of its own.
"use strict";

(() => {
  const { themeKey } = document.currentScript.dataset;
  const CHOICE = `${themeKey}.jupyterlab`;
  const IS_LIGHT = "data-jp-theme-light"; // attribute of JupyterLab's body

  function jupyterLab({ parent }) {
    try {
      if (parent.document.body.hasAttribute(IS_LIGHT)) return parent.document.body;
    } catch {
      return null; // a page of another site
    }
    return parent === parent.parent ? null : jupyterLab(parent);
  }

  const lab = jupyterLab(window);
  if (!lab) return;

  const { getItem, setItem, removeItem } = Storage.prototype;
  const labTheme = () => (lab.getAttribute(IS_LIGHT) === "true" ? "false" : "true");
  const theme = () => getItem.call(localStorage, CHOICE) ?? labTheme();
  let shown = null; // the trace page, below a cell, never reads the theme

  Storage.prototype.getItem = function (key) {
    if (key !== themeKey || this !== window.localStorage) return getItem.call(this, key);
    shown = theme();
    return shown;
  };

  Storage.prototype.setItem = function (key, value) {
    if (key !== themeKey || this !== window.localStorage) {
      setItem.call(this, key, value);
    } else if (value !== theme()) {
      shown = value;
      if (value === labTheme()) removeItem.call(this, CHOICE);
      else setItem.call(this, CHOICE, value);
    }
  };

  // MLflow reads the theme only when a page loads.
  new MutationObserver(() => {
    if (shown !== null && shown !== theme()) location.reload();
  }).observe(lab, { attributeFilter: [IS_LIGHT] });
})();
