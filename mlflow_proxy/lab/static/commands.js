// Commands of the palette and the menu. Users can bind keys to their names.

import { lab, trans } from "./packages.js";

const PALETTE = "apputils:activate-command-palette"; // it shows whether commands are enabled

/**
 * @param {import("./extension.js").Parts} parts
 * @param {{open: (path: string) => any, showLog: () => any}} acts
 * @param {any} palette JupyterLab's ICommandPalette, if the application has one
 */
export function addCommands({ app, server, model, icon }, { open, showLog }, palette) {
  const attempt = (what) => async () => {
    try {
      await model.control(what);
    } catch (error) {
      await lab.apputils.showErrorMessage(trans.__("MLflow"), error);
    }
  };
  const isRunning = () => ["starting", "ready"].includes(model.status?.state ?? "ready");
  const isReady = () => model.status?.state === "ready";
  model.changed.connect(() => app.commands.notifyCommandChanged());
  app.commands.commandExecuted.connect((_, { id }) => id === PALETTE && model.refresh());
  const commands = {
    "mlflow:open": {
      label: trans.__("Open MLflow"),
      icon,
      execute: ({ path = "" }) => open(path),
    },
    "mlflow:open-in-browser": {
      label: trans.__("Open MLflow in a New Browser Tab"),
      execute: ({ path = "" }) => void window.open(server.url + path, "_blank"),
    },
    "mlflow:start": { label: trans.__("Start MLflow"), isEnabled: () => !isReady(), execute: attempt("start") },
    "mlflow:stop": { label: trans.__("Stop MLflow"), isEnabled: isRunning, execute: attempt("stop") },
    "mlflow:restart": { label: trans.__("Restart MLflow"), execute: attempt("restart") },
    "mlflow:show-log": {
      label: trans.__("Show MLflow's Log"),
      execute: showLog,
    },
  };
  for (const [name, command] of Object.entries(commands)) {
    app.commands.addCommand(name, { caption: command.label, ...command });
    palette?.addItem({ command: name, category: trans.__("MLflow") });
  }
}
