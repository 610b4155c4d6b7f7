// Commands of the sidebar's rows: in their context menu, and some as icons on the row.

import { copy, insert, openItem } from "./actions.js";
import { sortRuns } from "./experiments.js";
import { lab, trans } from "./packages.js";
import { loadModel, loadPrompt, loadRun, serveModel } from "./snippets.js";

export const ARTIFACTS = "mlflow-proxy:open-artifacts"; // exists where the application can show them
const VERSIONS = ["model-version"];
const WITH_ID = ["experiment", "run", "trace"];
const WITH_URI = ["run", "model", "model-version", "prompt", "prompt-version"];
const ALL = [...new Set([...WITH_ID, ...WITH_URI])];

/** @typedef {{name: string, label: string, kinds: string[], execute: (target: any) => any, icon?: any,
 *   isTool?: boolean, isEnabled?: (target: any) => any, isVisible?: () => boolean}} ItemCommand `kinds`: of the
 *   rows that have it; `isTool`: it is an icon on the row, too
 */

/** In the menu's order. @param {import("./store.js").Store} store @returns {ItemCommand[]} */
export function itemCommands(store) {
  const { commands } = store.app;
  const { codeIcon, copyIcon, filterListIcon, folderIcon, launchIcon } = lab.ui;
  const item = (name, label, kinds, execute, more = {}) => ({ name, label, kinds, execute, ...more });
  const tool = (icon) => ({ icon, isTool: true });
  const code = (name, label, kinds, make, more = {}) => {
    const execute = (target) => insert(store, () => make(target));
    return item(`insert-${name}`, trans.__("Insert code: %1", label), kinds, execute, more);
  };
  const sort = ({ id }) => store.attempt(() => sortRuns(store, id));
  const artifacts = ({ id }) => commands.execute(ARTIFACTS, { run_id: id });
  const modelOf = async ({ kind, id, uri }) => (kind === "run" ? loggedModel(await store.api.run(id)) : uri);
  const load = async (target) => loadModel(await modelOf(target));
  const serve = async (target) => serveModel(await modelOf(target));
  const open = (target) => openItem(store, target);
  const uriOf = ({ kind, id, uri }) => (kind === "run" ? `runs:/${id}` : uri);
  return [
    item("sort-runs", trans.__("Sort runs…"), ["experiment"], sort, tool(filterListIcon)),
    item("show-artifacts", trans.__("Show artifacts"), ["run"], artifacts, {
      icon: folderIcon,
      isVisible: () => commands.hasCommand(ARTIFACTS),
    }),
    item("show-source-run", trans.__("Show source run"), VERSIONS, ({ run }) => store.showRun(run), {
      isEnabled: ({ run }) => run,
    }),
    code("load-run", trans.__("load run"), ["run"], ({ id }) => loadRun(id), tool(codeIcon)),
    code("load-model", trans.__("load model"), ["run"], load),
    code("load-model", trans.__("load model"), VERSIONS, load, tool(codeIcon)),
    code("serve", trans.__("serve model"), ["run", ...VERSIONS], serve),
    code("load-prompt", trans.__("load prompt"), ["prompt-version"], ({ uri }) => loadPrompt(uri), tool(codeIcon)),
    item("open-item", trans.__("Open in the dashboard"), ALL, open, tool(launchIcon)),
    item("copy-id", trans.__("Copy ID"), WITH_ID, ({ id }) => copy(id, trans.__("ID copied")), { icon: copyIcon }),
    item("copy-name", trans.__("Copy name"), ALL, ({ name }) => copy(name, trans.__("Name copied"))),
    item("copy-uri", trans.__("Copy URI"), WITH_URI, (target) => copy(uriOf(target), trans.__("URI copied"))),
  ];
}

/** The URI of the last model that a run logged. @param {{models: any[]}} run @throws if it logged none */
function loggedModel({ models }) {
  if (!models.length) {
    throw new Error(trans.__("This run has logged no model"));
  }
  return `models:/${models.at(-1).modelId}`;
}

/** Make them commands of JupyterLab. @param {import("./store.js").Store} store @param {ItemCommand[]} added */
export function addItemCommands(store, added) {
  const { commands, contextMenu } = store.app;
  store.commands.push(...added);
  added.forEach(({ name, label, kinds, isVisible, ...item }, rank) => {
    const command = `mlflow:${name}`;
    if (!commands.hasCommand(command)) {
      const execute = () => item.execute(store.target);
      const isEnabled = () => Boolean(!item.isEnabled || item.isEnabled(store.target));
      commands.addCommand(command, { label, execute, isEnabled, isVisible });
    }
    for (const kind of kinds) {
      contextMenu?.addItem({ command, selector: `.jp-mlflow-row[data-kind="${kind}"]`, rank });
    }
  });
}
