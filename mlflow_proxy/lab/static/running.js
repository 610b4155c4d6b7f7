// MLflow's entry in the Running panel.

import { trans } from "./packages.js";

const PANEL = "jp-running-sessions";

/** @param {import("./store.js").Store} store */
export function addToRunningPanel({ app, model, icon, services }) {
  model.watch(() => [...app.shell.widgets("left"), ...app.shell.widgets("right")].some(
    (widget) => widget.id === PANEL && widget.isVisible,
  ));
  services.managers.add({
    name: "MLflow",
    // A tile that was never clicked has no entry.
    running: () => (model.status && model.status.state !== "stopped" ? [item(model.status)] : []),
    shutdownAll: () => model.control("stop"),
    refreshRunning: () => void model.refresh(),
    runningChanged: model.changed,
    shutdownLabel: trans.__("Stop"),
    shutdownAllLabel: trans.__("Stop MLflow"),
    shutdownAllConfirmationText: trans.__("Stop MLflow? The next use starts it again."),
  });
  const item = (status) => ({
    open: () => app.commands.execute("mlflow:open"),
    shutdown: () => model.control("stop"),
    icon: () => icon,
    label: () => describe(status),
    labelTitle: () => title(status),
    detail: () => memory(status.memory),
  });
}

/** One line about MLflow's state. */
export function describe({ state, progress, text }) {
  switch (state) {
    case "starting":
      return progress === null ? text : trans.__("Starting, %1 %", Math.round(progress * 100));
    case "ready":
      return trans.__("Ready");
    case "failed":
      return trans.__("Failed: %1", text);
    default:
      return text;
  }
}

const title = ({ version, store, text, remedy }) =>
  [`MLflow ${version ?? ""}`.trim(), store, text, remedy].filter(Boolean).join("\n");

/** @param {number|null} bytes */
const memory = (bytes) => (bytes === null ? "" : `${Math.round(bytes / 1e6)} MB`);
