// Commands of the palette and the menu. Users can bind keys to their names.

import { lab, trans } from "./packages.js";

export const SIDEBAR = "jp-mlflow-sidebar"; // its ID
const PALETTE = "apputils:activate-command-palette"; // it shows whether commands are enabled

/** @param {import("./store.js").Store} store @param {(path: string) => any} open @param {() => any} showLog */
export function addCommands(store, open, showLog) {
  const { app, server, model, icon, services } = store;
  const attempt = (what) => async () => {
    try {
      await model.control(what);
    } catch (error) {
      await lab.apputils.showErrorMessage(trans.__("MLflow"), error);
    }
  };
  const isRunning = () => ["starting", "ready"].includes(model.status?.state ?? "ready");
  model.changed.connect(() => app.commands.notifyCommandChanged());
  app.commands.commandExecuted.connect((_, { id }) => id === PALETTE && model.refresh());
  const commands = {
    "mlflow:open": { label: trans.__("Open MLflow"), icon, execute: ({ path = "" }) => open(path) },
    "mlflow:open-in-browser": {
      label: trans.__("Open MLflow in a New Browser Tab"),
      execute: ({ path = "" }) => void window.open(server.url + path, "_blank"),
    },
    "mlflow:start": { label: trans.__("Start MLflow"), isEnabled: () => !store.isReady, execute: attempt("start") },
    "mlflow:stop": { label: trans.__("Stop MLflow"), isEnabled: isRunning, execute: attempt("stop") },
    "mlflow:restart": { label: trans.__("Restart MLflow"), execute: attempt("restart") },
    "mlflow:show-log": { label: trans.__("Show MLflow's Log"), execute: showLog },
    "mlflow:show-sidebar": {
      label: trans.__("Show MLflow's Sidebar"),
      isEnabled: () => store.settings?.composite.sidebar !== false,
      execute: () => app.shell.activateById(SIDEBAR),
    },
  };
  for (const [name, command] of Object.entries(commands)) {
    app.commands.addCommand(name, { caption: command.label, ...command });
    services.palette?.addItem({ command: name, category: trans.__("MLflow") });
  }
}
