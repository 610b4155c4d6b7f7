// Part of every dashboard page. A bar that tells the user that the page's refresh is paused.
"use strict";

const pauseNotice = (() => {
  const TEXT = "Refresh is paused because this page was not used. Click to resume.";
  // The colours are those of the page's theme, exchanged: MLflow's dark theme sets `color-scheme`.
  const STYLE = `
    position: fixed; z-index: 2147483647; bottom: 16px; left: 50%; transform: translateX(-50%);
    box-sizing: border-box; width: max-content; max-width: calc(100% - 32px); padding: 8px 16px;
    border-radius: 4px; background: CanvasText; color: Canvas; cursor: pointer; pointer-events: auto;
    font-size: 13px; line-height: 20px; box-shadow: 0 2px 8px rgb(0 0 0 / 30%);
  `;
  const bar = document.createElement("div");
  bar.setAttribute("role", "status");
  bar.style.cssText = STYLE;
  bar.textContent = TEXT;

  const remove = () => bar.remove();

  return {
    show: () => document.body.append(bar),

    // `event`: the input that resumes the refresh, if any. A click on the bar ends on the bar.
    hide(event) {
      const isPressed = event?.type === "pointerdown" && event.target === bar;
      if (isPressed) window.addEventListener("pointerup", remove, { capture: true, once: true });
      else remove();
    },
  };
})();
