// Part of the dashboard's page, before MLflow's own scripts. Until these have drawn the page, the browser
// shows an empty one, which is white. Where MLflow is going to be dark, the empty page is dark as well.
"use strict";

(() => {
  const { isTracePage } = document.currentScript.dataset;
  if (isTracePage) return; // it has no theme of its own

  // MLflow reads the theme when a page loads. Later only its settings page changes it, by a function that one
  // of its components gets: found in what React keeps, so that the page stays as it is, with what was typed.
  function setter() {
    const root = document.getElementById("root") ?? {};
    const key = Object.keys(root).find((name) => name.startsWith("__reactContainer$"));
    const fibers = [root[key]?.stateNode.current];
    for (const fiber of fibers) {
      if (fiber?.memoizedProps?.setIsDarkTheme) return fiber.memoizedProps.setIsDarkTheme;
      for (let child = fiber?.child; child; child = child.sibling) fibers.push(child);
    }
    return () => location.reload();
  }
  theme.onChange((isDark) => setter()(isDark));
  if (!theme.isDark()) return;
  const DARK = "#11171c"; // MLflow's background, and that of the loading page
  const style = document.createElement("style");
  // MLflow's style sheet, which may come before its scripts, makes the body white. Once MLflow has drawn the
  // page, its theme is a class of the body.
  const page = "html:not(:has(body[class]))";
  style.textContent = `${page}, ${page} body { color-scheme: dark; background: ${DARK} !important }`;
  document.head.append(style);
})();
