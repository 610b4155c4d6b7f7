// Part of every dashboard page, before MLflow's own scripts. While MLflow starts again, requests wait in
// Jupyter, and the page looks as if nothing was found. The bar then tells the progress.
"use strict";

const serverState = (() => {
  const INTERVAL = 500; // milliseconds between looks
  const { status } = document.currentScript.dataset;
  let following = null; // several requests wait for one start

  // Why nothing answers until a click; empty if MLflow runs.
  function reasonOf({ state, reason, stop_reason: stop }) {
    if (state === "failed") return `MLflow could not start. ${reason} Click to try again, or reload this page.`;
    return ["idle", "stopped"].includes(state) ? `MLflow was ${stop || "stopped"}. Click to start it.` : "";
  }

  async function follow(fetch) {
    for (let hasWaited = false; ; hasWaited = true) {
      const now = await (await fetch(status)).json();
      if (now.state !== "starting") {
        if (hasWaited) notice.hide();
        return { isAnswer: !hasWaited && !reasonOf(now), reason: reasonOf(now) };
      }
      const begin = now.stop_reason ? `was ${now.stop_reason}; starting` : "is starting";
      notice.show(`MLflow ${begin} …`, now.progress);
      await new Promise((resolve) => { setTimeout(resolve, INTERVAL); });
    }
  }

  return {
    // Shows MLflow's start, by `fetch`, until it has ended. Resolves with why MLflow is not ready then, and with
    // whether it was ready all the time: without the server extension, or Jupyter, that is all that is known.
    follow(fetch) {
      following ??= follow(fetch).catch(() => ({ isAnswer: true })).finally(() => { following = null; });
      return following;
    },
  };
})();
