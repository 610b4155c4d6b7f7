// The plugin: what it takes of JupyterLab, and which parts it sets up.

export { load } from "./packages.js";
import { addArtifacts } from "./artifacts.js";
import { addCommands } from "./commands.js";
import { addLog } from "./log.js";
import { lab, setLanguage } from "./packages.js";
import { addToRunningPanel } from "./running.js";
import { addSidebar } from "./sidebar.js";
import { Store } from "./store.js";
import { addTab } from "./tab.js";

export function plugin() {
  const { application, apputils, notebook, running, settings, statedb, translation } = lab;
  const optional = {
    palette: apputils.ICommandPalette,
    restorer: application.ILayoutRestorer,
    managers: running.IRunningSessionManagers,
    registry: settings.ISettingRegistry,
    translator: translation.ITranslator,
    notebooks: notebook.INotebookTracker,
    labShell: application.ILabShell,
    database: statedb.IStateDB,
  };
  const names = Object.keys(optional).filter((name) => optional[name]);
  return {
    id: "jupyter-mlflow-proxy:plugin",
    description: "MLflow: commands, a tab, the Running panel and a sidebar",
    autoStart: true,
    optional: names.map((name) => optional[name]),
    activate: (app, ...services) =>
      activate(app, Object.fromEntries(names.map((name, index) => [name, services[index]]))),
  };
}

/** @param {Record<string, any>} services those of the application; another one may have fewer */
async function activate(app, services) {
  addStyle();
  setLanguage(services.translator);
  const icon = new lab.ui.LabIcon({ name: "jupyter-mlflow-proxy:mlflow", svgstr: await iconSvg() });
  const store = new Store(app, services, icon);
  void store.model.refresh();
  addCommands(store, addTab(store), addLog(store));
  services.labShell && addArtifacts(store);
  services.managers && addToRunningPanel(store);
  addSidebar(store);
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
