// What is done with the sidebar's items: open their pages, write code into the notebook, copy.

import { lab, trans } from "./packages.js";

/** @typedef {import("./store.js").Store} Store */

/** Open a page of the dashboard. @param {Store} store @param {string[]} names its path, in parts */
export function openPage({ app, settings }, names, query = "") {
  const path = `#/${names.map(encodeURIComponent).join("/")}${query}`;
  const isInBrowser = settings?.composite.openLinks === "browser";
  return app.commands.execute(isInBrowser ? "mlflow:open-in-browser" : "mlflow:open", { path });
}

/** Open what a row stands for in the dashboard. @param {Store} store @param {any} target */
export function openItem(store, { kind, id, experiment, name }) {
  const path = {
    experiment: ["experiments", id],
    run: ["experiments", experiment, "runs", id],
    trace: ["experiments", experiment, "traces"],
    model: ["models", name],
    "model-version": ["models", name, "versions", id],
  }[kind] ?? ["prompts", name];
  return openPage(store, path, kind === "trace" && id ? `?selectedEvaluationId=${encodeURIComponent(id)}` : "");
}

/** Insert code below the active cell. @param {Store} store @param {() => string | Promise<string>} makeCode */
export async function insert(store, makeCode) {
  const { notebooks } = store.services;
  const notebook = notebooks?.currentWidget ?? notebooks?.find((each) => each.isVisible); // not current yet when just opened
  if (!notebook) {
    lab.apputils.Notification.info(trans.__("Open a notebook to insert code"), { autoClose: 3000 });
    return;
  }
  await store.attempt(async () => {
    const code = await makeCode();
    const { NotebookActions } = lab.notebook;
    NotebookActions.insertBelow(notebook.content);
    NotebookActions.changeCellType(notebook.content, "code");
    notebook.content.activeCell.model.sharedModel.setSource(code);
    store.app.shell.activateById(notebook.id);
  });
}

/** @param {string} text @param {string} message */
export function copy(text, message) {
  lab.apputils.Clipboard.copyToSystem(text);
  lab.apputils.Notification.success(message, { autoClose: 2000 });
}
