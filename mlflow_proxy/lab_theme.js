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

const theme = (() => {
  const { themeKey } = document.currentScript.dataset;
  const CHOICE = `${themeKey}.jupyterlab`;
  const IS_LIGHT = "data-jp-theme-light"; // attribute of JupyterLab's body
  const lab = labBody();
  let apply = () => {};
  if (lab) follow();

  function labBody() {
    try {
      return parent.document.body.hasAttribute(IS_LIGHT) ? parent.document.body : null;
    } catch {
      return null; // a page of another site, or none
    }
  }

  function follow() {
    const { setItem } = Storage.prototype;
    const labTheme = () => (lab.getAttribute(IS_LIGHT) === "true" ? "false" : "true");
    const current = () => localStorage.getItem(CHOICE) ?? labTheme();
    let shown = current();

    whenRead(themeKey, current);
    Storage.prototype.setItem = function (key, value) {
      if (key !== themeKey || this !== window.localStorage) {
        setItem.call(this, key, value);
      } else if (value !== current()) { // the user's choice
        if (value === labTheme()) this.removeItem(CHOICE);
        else setItem.call(this, CHOICE, value);
        shown = value;
      }
    };
    new MutationObserver(() => {
      if (shown !== current()) apply(current() === "true");
      shown = current();
    }).observe(lab, { attributeFilter: [IS_LIGHT] });
  }

  return {
    // Whether MLflow is going to be dark: as it has stored, or else as the browser is.
    isDark() {
      let stored = null;
      try {
        stored = localStorage.getItem(themeKey);
      } catch {
        // The browser forbids storage.
      }
      return stored === null ? matchMedia("(prefers-color-scheme: dark)").matches : stored === "true";
    },

    // Has `change(isDark)` called when JupyterLab's theme has changed, and with it the page's.
    onChange: (change) => { apply = change; },
  };
})();
