// Part of MLflow's pages and of the loading page, before what reads the browser's storage. In a frame of
// JupyterLab they have JupyterLab's theme, unless the user has chosen the other one there. MLflow stores its
// theme on each load, chosen or not, and pages in browser tabs read it. A page in JupyterLab leaves that as it
// is, and stores a choice under a key of its own.
"use strict";

// What the page reads of the browser's storage for `key`: `value` of what is stored, which stays as it is.
const whenRead = (() => {
  const { getItem } = Storage.prototype;
  const values = new Map();
  Storage.prototype.getItem = function (key) {
    const stored = getItem.call(this, key);
    return values.has(key) && this === window.localStorage ? values.get(key)(stored) : stored;
  };
  return (key, value) => values.set(key, value);
})();

// Whether MLflow is going to be dark: as it has stored, or else as the browser is.
const isDark = (() => {
  const { themeKey } = document.currentScript.dataset;
  const CHOICE = `${themeKey}.jupyterlab`;
  const IS_LIGHT = "data-jp-theme-light"; // attribute of JupyterLab's body
  const lab = jupyterLab(window);
  if (lab) follow();

  function jupyterLab({ parent }) {
    try {
      if (parent.document.body.hasAttribute(IS_LIGHT)) return parent.document.body;
    } catch {
      return null; // a page of another site
    }
    return parent === parent.parent ? null : jupyterLab(parent);
  }

  function follow() {
    const { setItem } = Storage.prototype;
    const labTheme = () => (lab.getAttribute(IS_LIGHT) === "true" ? "false" : "true");
    const theme = () => localStorage.getItem(CHOICE) ?? labTheme();
    let shown = null; // the trace page, below a cell, never reads the theme

    whenRead(themeKey, () => (shown = theme()));
    Storage.prototype.setItem = function (key, value) {
      if (key !== themeKey || this !== window.localStorage) {
        setItem.call(this, key, value);
      } else if (value !== theme()) {
        shown = value;
        if (value === labTheme()) this.removeItem(CHOICE);
        else setItem.call(this, CHOICE, value);
      }
    };

    // MLflow reads the theme only when a page loads.
    new MutationObserver(() => {
      if (shown !== null && shown !== theme()) location.reload();
    }).observe(lab, { attributeFilter: [IS_LIGHT] });
  }

  return () => {
    let stored = null;
    try {
      stored = localStorage.getItem(themeKey);
    } catch {
      // The browser forbids storage.
    }
    return stored === null ? matchMedia("(prefers-color-scheme: dark)").matches : stored === "true";
  };
})();
