// Commands of the sidebar's rows: in their context menu, and some as icons on the row.

import { canInsert, copy, insert, openItem } from "./actions.js";
import { sortRuns } from "./experiments.js";
import { lab, trans } from "./packages.js";
import { loadModel, loadPrompt, loadRun, serveModel } from "./snippets.js";

export const ARTIFACTS = "mlflow-proxy:open-artifacts"; // exists where the application can show them
const RUN = ["run"];
const MODELS = ["model-version"];
const ALL = ["experiment", "run", "trace", "model", "model-version", "prompt", "prompt-version"];
const URIS = ["run", "model", "model-version", "prompt", "prompt-version"];

/** @typedef {{name: string, label: string, kinds: string[], execute: (target: any) => any, icon?: any,
 *   isTool?: boolean, isEnabled?: (target: any) => any, isVisible?: () => boolean}} ItemCommand `kinds`: of the
 *   rows that have it; `isTool`: it is an icon on the row, too
 * @typedef {import("./store.js").Store} Store
 */

/** In the menu's order. @param {Store} store @returns {ItemCommand[]} */
export function itemCommands(store) {
  const { commands } = store.app;
  const { codeIcon, copyIcon, filterListIcon, folderIcon, launchIcon } = lab.ui;
  const command = (name, label, kinds, execute, more = {}) => ({ name, label, kinds, execute, ...more });
  const onRow = (icon) => ({ icon, isTool: true });
  const code = (name, label, kinds, makeCode, more = {}) =>
    command(name, label, kinds, (target) => insert(store, () => makeCode(target)), {
      isEnabled: () => canInsert(store),
      ...more,
    });
  const uriOf = ({ kind, id, uri }) => (kind === "run" ? `runs:/${id}` : uri);
  const modelOf = async ({ kind, id, uri }) => (kind === "run" ? loggedModel(await store.api.run(id)) : uri);
  const load = async (target) => loadModel(await modelOf(target));
  const serve = async (target) => serveModel(await modelOf(target));
  return [
    command("sort-runs", trans.__("Sort runs…"), ["experiment"], ({ id }) => store.attempt(() => sortRuns(store, id)), onRow(filterListIcon)),
    command("show-artifacts", trans.__("Show artifacts"), RUN, ({ id }) => commands.execute(ARTIFACTS, { run_id: id }), {
      icon: folderIcon,
      isVisible: () => commands.hasCommand(ARTIFACTS),
    }),
    command("show-source-run", trans.__("Show source run"), MODELS, ({ run }) => store.showRun(run), { isEnabled: ({ run }) => run }),
    code("insert-load-run", trans.__("Insert code: load run"), RUN, ({ id }) => loadRun(id), onRow(codeIcon)),
    code("insert-load-model", trans.__("Insert code: load model"), RUN, load),
    code("insert-load-model", trans.__("Insert code: load model"), MODELS, load, onRow(codeIcon)),
    code("insert-serve", trans.__("Insert code: serve model"), [...RUN, ...MODELS], serve),
    code("insert-load-prompt", trans.__("Insert code: load prompt"), ["prompt-version"], ({ uri }) => loadPrompt(uri), onRow(codeIcon)),
    command("open-item", trans.__("Open in the dashboard"), ALL, (target) => openItem(store, target), onRow(launchIcon)),
    command("copy-id", trans.__("Copy ID"), ["experiment", "run", "trace"], ({ id }) => copy(id, trans.__("ID copied")), { icon: copyIcon }),
    command("copy-name", trans.__("Copy name"), ALL, ({ name }) => copy(name, trans.__("Name copied"))),
    command("copy-uri", trans.__("Copy URI"), URIS, (target) => copy(uriOf(target), trans.__("URI copied"))),
  ];
}

/** The URI of the last model that a run logged. @param {{models: any[]}} run @throws if it logged none */
function loggedModel({ models }) {
  if (!models.length) {
    throw new Error(trans.__("This run has logged no model"));
  }
  return `models:/${models.at(-1).modelId}`;
}

/** Make them commands of JupyterLab. @param {Store} store @param {ItemCommand[]} added */
export function addItemCommands(store, added) {
  const { commands, contextMenu } = store.app;
  store.commands.push(...added);
  added.forEach(({ name, label, kinds, execute, isEnabled, isVisible }, rank) => {
    const command = `mlflow:${name}`;
    if (!commands.hasCommand(command)) {
      commands.addCommand(command, {
        label,
        execute: () => execute(store.target),
        isEnabled: () => Boolean(!isEnabled || isEnabled(store.target)),
        isVisible,
      });
    }
    for (const kind of kinds) {
      contextMenu?.addItem({ command, selector: `.jp-mlflow-row[data-kind="${kind}"]`, rank });
    }
  });
}
