// MLflow's entry in the Running panel.

const PANEL = "jp-running-sessions";

/**
 * @param {any} managers JupyterLab's IRunningSessionManagers
 * @param {import("./extension.js").Parts} parts
 */
export function addToRunningPanel(managers, { app, model, icon, trans }) {
  model.watch(() => [...app.shell.widgets("left"), ...app.shell.widgets("right")].some(
    (widget) => widget.id === PANEL && widget.isVisible,
  ));
  managers.add({
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
    label: () => describe(status, trans),
    labelTitle: () => [status.store, status.text, status.remedy].filter(Boolean).join("\n"),
    detail: () => memory(status.memory),
  });
}

/** One line about MLflow's state. */
export function describe(status, trans) {
  switch (status.state) {
    case "starting":
      return status.progress === null
        ? trans.__("MLflow is starting")
        : trans.__("MLflow is starting, %1 %", Math.round(status.progress * 100));
    case "ready":
      return trans.__("MLflow %1", status.version ?? "").trim();
    case "failed":
      return trans.__("MLflow failed: %1", status.text);
    default:
      return trans.__("MLflow is stopped: %1", status.text);
  }
}

/** @param {number|null} bytes */
const memory = (bytes) => (bytes === null ? "" : `${Math.round(bytes / 1e6)} MB`);
