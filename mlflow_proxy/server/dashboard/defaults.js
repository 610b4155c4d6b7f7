// Part of every dashboard page, before MLflow's own scripts. What MLflow reads where the user has chosen
// nothing. Nothing is stored, so what is stored is the user's choice.
"use strict";

(() => {
  const { assistantKey, modeKey } = document.currentScript.dataset;

  // The dashboard has two modes, "GenAI" and "Model training", and reads one when a page loads. Where none is
  // stored, a page gets that of its link, or else that of model training. MLflow's own default is GenAI, whose
  // pages have traces but no table of runs; those of model training have both.
  const MODES = ["genai", "machine_learning"];
  // MLflow <3.17 does not read the link itself.
  const linked = () => new URLSearchParams(location.hash.split("?")[1]).get("workflowType");
  const initial = () => MODES.find((each) => each === linked()) ?? "machine_learning";
  whenRead(modeKey, (stored) => stored ?? JSON.stringify(initial()));

  // At "localhost", the Assistant opens by itself on the first visit, takes a quarter of the window, and
  // remembers that it has done so. This lets the user open it.
  whenRead(assistantKey, (stored) => stored ?? "true");
})();
