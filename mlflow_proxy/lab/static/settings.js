// The settings form: the user's own settings, and the server's as a table to read.

import { h, lab } from "./packages.js";

const PLUGIN = "jupyter-mlflow-proxy:plugin";

/**
 * Load the user's settings; the server's are shown with them.
 *
 * @param {import("./status.js").StatusModel} model
 * @param {Record<string, any>} services JupyterLab's ISettingRegistry and IFormRendererRegistry, if it has them
 * @returns {Promise<any>} the settings, or null
 */
export async function loadSettings(model, { registry, forms }) {
  const { UseSignal } = lab.ui;
  const fieldRenderer = ({ schema }) => h(UseSignal, { signal: model.changed }, () => settingsTable(schema, model.settings));
  forms?.addRenderer?.(`${PLUGIN}.server`, { fieldRenderer });
  return registry ? registry.load(PLUGIN) : null;
}

/** @param {any} schema @param {Record<string, string>} values */
function settingsTable({ title, description }, values) {
  const line = ([name, value]) =>
    h("tr", { key: name }, h("th", { scope: "row" }, `c.MLflowProxy.${name}`), h("td", {}, value || "–"));
  return h(
    "div",
    { className: "jp-mlflow-settings" },
    h("h3", {}, title),
    h("p", {}, description),
    h("table", {}, h("tbody", {}, Object.entries(values).map(line))),
  );
}
