// The plugin: what it takes of JupyterLab, and which parts it sets up.

export { load } from "./packages.js";
import { addArtifacts } from "./artifacts.js";
import { addCommands } from "./commands.js";
import { addLog } from "./log.js";
import { addToRunningPanel } from "./running.js";
import { Server } from "./server.js";
import { addSidebar } from "./sidebar.js";
import { loadSettings } from "./settings.js";
import { StatusModel } from "./status.js";
import { addTab } from "./tab.js";

/** What the parts share.
 * @typedef {{lab: Record<string, any>, app: any, server: Server, model: StatusModel, icon: any,
 *   trans: any, settings: Promise<any>, open: (path: string) => any, showLog?: () => any}} Parts
 */

/** @param {Record<string, any>} lab JupyterLab's packages */
export function plugin(lab) {
  const { application, apputils, notebook, running, settings, statedb, translation, ui } = lab;
  const optional = {
    palette: apputils.ICommandPalette,
    restorer: application.ILayoutRestorer,
    managers: running.IRunningSessionManagers,
    registry: settings.ISettingRegistry,
    translator: translation.ITranslator,
    notebooks: notebook.INotebookTracker,
    labShell: application.ILabShell,
    database: statedb.IStateDB,
    forms: ui.IFormRendererRegistry,
  };
  const names = Object.keys(optional).filter((name) => optional[name]);
  return {
    id: "jupyter-mlflow-proxy:plugin",
    description: "MLflow: commands, a tab, the Running panel and a sidebar",
    autoStart: true,
    optional: names.map((name) => optional[name]),
    activate: (app, ...services) =>
      activate(lab, app, Object.fromEntries(names.map((name, index) => [name, services[index]]))),
  };
}

/** @param {Record<string, any>} services those of the application; another one may have fewer */
async function activate(lab, app, services) {
  const { palette, restorer, managers, registry, translator, labShell, forms } = services;
  addStyle();
  const server = new Server(lab);
  const icon = new lab.ui.LabIcon({ name: "jupyter-mlflow-proxy:mlflow", svgstr: await iconSvg() });
  const trans = (translator ?? lab.translation.nullTranslator).load("jupyter-mlflow-proxy");
  const model = new StatusModel(lab, server);
  const shared = { lab, app, server, model, icon, trans, settings: loadSettings(lab, registry, server, forms) };
  const open = addTab(shared, restorer, labShell);
  const parts = { ...shared, open, showLog: addLog(shared, restorer) };
  if (labShell) {
    addArtifacts(shared, restorer);
  }
  addCommands(parts, palette);
  if (managers) {
    addToRunningPanel(managers, parts);
  }
  addSidebar(parts, services);
}

function addStyle() {
  const link = Object.assign(document.createElement("link"), {
    rel: "stylesheet",
    href: new URL("style.css", import.meta.url),
  });
  document.head.append(link);
}

async function iconSvg() {
  return (await fetch(new URL("mlflow.svg", import.meta.url))).text();
}
