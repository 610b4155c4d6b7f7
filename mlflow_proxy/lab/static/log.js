// The end of MLflow's log in a tab. The command shows it anew, as JupyterLab does after a reload.

import { lab, trans } from "./packages.js";

const ID = "mlflow-log";

/** @param {import("./store.js").Store} store @returns {() => Promise<void>} shows the log */
export function addLog({ app, server, icon, services }) {
  const tracker = new lab.apputils.WidgetTracker({ namespace: ID });
  services.restorer?.restore(tracker, { command: "mlflow:show-log", name: () => ID });
  return async () => {
    const node = Object.assign(document.createElement("pre"), { className: "jp-mlflow-log", tabIndex: 0 });
    try {
      node.textContent = (await server.log()) || trans.__("MLflow has written nothing yet.");
    } catch (error) {
      await lab.apputils.showErrorMessage(trans.__("MLflow's log cannot be read"), error);
      return;
    }
    tracker.currentWidget?.dispose();
    const content = new lab.widgets.Widget({ node });
    const tab = Object.assign(new lab.apputils.MainAreaWidget({ content }), { id: ID });
    Object.assign(tab.title, { label: trans.__("MLflow's Log"), icon, closable: true });
    app.shell.add(tab, "main");
    void tracker.add(tab);
    app.shell.activateById(ID);
    node.scrollTop = node.scrollHeight;
  };
}
