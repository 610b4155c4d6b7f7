// Commands of the palette and the menu. Users can bind keys to their names.

const PALETTE = "apputils:activate-command-palette"; // it shows whether commands are enabled

/**
 * @param {import("./extension.js").Parts} parts
 * @param {any} palette JupyterLab's ICommandPalette, if the application has one
 */
export function addCommands({ lab, app, server, model, icon, trans, open }, palette) {
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
      execute: () => showLog(lab, app, server, icon, trans),
    },
  };
  for (const [name, command] of Object.entries(commands)) {
    app.commands.addCommand(name, { caption: command.label, ...command });
    palette?.addItem({ command: name, category: trans.__("MLflow") });
  }
}

/** Show the end of the log in a tab; the command shows it anew. */
async function showLog(lab, app, server, icon, trans) {
  const content = new lab.widgets.Widget({ node: document.createElement("pre") });
  content.addClass("jp-mlflow-log");
  content.node.tabIndex = 0;
  try {
    content.node.textContent = (await server.log()) || trans.__("MLflow has written nothing yet.");
  } catch (error) {
    await lab.apputils.showErrorMessage(trans.__("MLflow's log cannot be read"), error);
    return;
  }
  const ID = "mlflow-log";
  [...app.shell.widgets("main")].find((widget) => widget.id === ID)?.dispose();
  const tab = new lab.apputils.MainAreaWidget({ content });
  Object.assign(tab, { id: ID });
  Object.assign(tab.title, { label: trans.__("MLflow's Log"), icon, closable: true });
  app.shell.add(tab, "main");
  app.shell.activateById(ID);
  content.node.scrollTop = content.node.scrollHeight;
}
