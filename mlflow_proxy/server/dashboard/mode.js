// Part of every dashboard page, before MLflow's own scripts. MLflow's dashboard has two modes, "GenAI" and
// "Model training". It stores the mode once the user has switched to it, and reads that when a page
// loads. Where none is stored, a page gets the mode of its link, or else that of what is in the MLflow
// store (see mode.py). This stores nothing, so what is stored is the user's choice.
"use strict";

(() => {
  const KEY = "mlflow.workflowType_v1";
  const { mode } = document.currentScript.dataset;
  const { getItem } = Storage.prototype;
  const MODES = ["genai", "machine_learning"];

  // Releases before 3.17 do not read it themselves.
  const linked = () => new URLSearchParams(location.hash.split("?")[1]).get("workflowType");

  Storage.prototype.getItem = function (key) {
    const stored = getItem.call(this, key);
    if (key !== KEY || this !== window.localStorage || stored !== null) return stored;
    const initial = [linked(), mode].find((each) => MODES.includes(each));
    return initial ? JSON.stringify(initial) : null;
  };
})();
