// Part of every dashboard page. A bar that tells the user what the page waits for.
"use strict";

const notice = (() => {
  // The colours are those of the page's theme, exchanged: MLflow's dark theme sets `color-scheme`.
  const STYLE = `
    position: fixed; z-index: 2147483647; bottom: 16px; left: 50%; transform: translateX(-50%);
    box-sizing: border-box; width: max-content; max-width: calc(100% - 32px); padding: 8px 16px;
    border-radius: 4px; background: linear-gradient(#58b1ea 0 0) 0 100% / 0 no-repeat CanvasText;
    color: Canvas; pointer-events: auto; overflow-wrap: anywhere;
    font-size: 13px; line-height: 20px; box-shadow: 0 2px 8px rgb(0 0 0 / 30%);
  `;
  const bar = document.createElement("div");
  const text = document.createTextNode("");
  const percent = document.createElement("span");
  bar.setAttribute("role", "status");
  percent.setAttribute("aria-hidden", "true"); // a screen reader would repeat all with each change
  bar.style.cssText = STYLE;
  bar.append(text, percent);

  return {
    // `progress`: 0 to 1, of what the user waits for; a click does not help then.
    show(message, progress = null) {
      if (text.data !== message) text.data = message;
      const completed = `${Math.round(100 * progress)}`;
      percent.textContent = progress === null ? "" : ` ${completed} %`;
      bar.style.backgroundSize = `${completed}% 3px`;
      bar.style.cursor = progress === null ? "pointer" : "";
      if (!bar.isConnected) document.body.append(bar);
    },

    // `event`: the input that resumes the refresh, if any. A press on the bar ends on it, with a click.
    hide(event) {
      if (event?.type !== "pointerdown" || !bar.contains(event.target)) bar.remove();
    },
  };
})();
