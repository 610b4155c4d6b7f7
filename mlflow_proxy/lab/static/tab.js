// MLflow's dashboard in a tab of JupyterLab.

import { openLinksInTab } from "./links.js";
import { lab, trans } from "./packages.js";
import { Page } from "./page.js";

const ID = "mlflow-dashboard";
const SANDBOX = ["same-origin", "scripts", "popups", "forms", "downloads", "modals"].map((what) => `allow-${what}`);
const TILE = { command: "server-proxy:open", id: "server-proxy:mlflow" }; // jupyter-server-proxy's

/** @param {import("./store.js").Store} store @returns {(path: string) => any} opens the tab at a dashboard's path */
export function addTab(store) {
  const { app, server, services } = store;
  const inBrowser = (path) => void window.open(server.url + path, "_blank");
  if (!services.labShell) { // an application without it has no tabs
    return inBrowser;
  }
  const tracker = new lab.apputils.WidgetTracker({ namespace: "mlflow" });
  const args = ({ page }) => ({ path: page.path });
  services.restorer?.restore(tracker, { command: "mlflow:open", args, name: () => ID });
  let tab;
  let isForbidden = false; // a frame, on some hubs (see framing.py)

  const open = (path, place) => {
    if (isForbidden) {
      return inBrowser(path);
    }
    if (!tab || tab.isDisposed) {
      tab = createTab(store, path, () => void tracker.save(tab));
      tab.page.refused = () => {
        isForbidden = true;
        tab.dispose();
        inBrowser(path);
      };
      app.shell.add(tab, "main", place);
      void tracker.add(tab);
    } else {
      tab.page.open(path);
    }
    app.shell.activateById(ID);
    return tab;
  };

  app.commands.commandExecuted.connect(async (_, { id, args, result }) => {
    if (id === TILE.command && args.id === TILE.id && !args.newBrowserTab) {
      const theirs = await result;
      requestAnimationFrame(() => { // the launcher has put it in its own place by then
        open("", { ref: theirs.id, mode: "tab-after" });
        theirs.dispose();
      });
    }
  });
  openLinksInTab(store, open);
  return open;
}

/** A widget with a toolbar, and with its `page`; `moved` is called when that has changed. */
function createTab({ app, server, icon }, path, moved) {
  const content = new lab.apputils.IFrame({ sandbox: SANDBOX });
  const frame = content.node.querySelector("iframe");
  // A tab that JupyterLab restores behind others does not start MLflow: the frame is loaded once it is
  // visible, and no earlier than JupyterLab has arranged its tabs.
  Object.assign(frame, { title: trans.__("MLflow"), loading: "lazy" });
  const page = new Page(frame, new URL(server.url, location.href).href, path);
  content.onBeforeDetach = () => page.load();
  app.restored.then(() => page.load());

  const tab = Object.assign(new lab.apputils.MainAreaWidget({ content }), { id: ID, page });
  tab.addClass("jp-mlflow-dashboard");
  Object.assign(tab.title, { label: trans.__("MLflow"), icon, closable: true });
  const [back, forward] = [
    ["back", "caretLeftIcon", trans.__("Back"), () => page.go(-1)],
    ["forward", "caretRightIcon", trans.__("Forward"), () => page.go(1)],
    ["reload", "refreshIcon", trans.__("Reload"), () => page.go(0)],
    ["browser", "launchIcon", trans.__("Open in a New Browser Tab"), () => window.open(page.address, "_blank")],
  ].map(([name, shown, tooltip, onClick]) => {
    const button = new lab.ui.ToolbarButton({ icon: lab.ui[shown], tooltip, onClick });
    tab.toolbar.addItem(name, button);
    return button;
  });
  back.enabled = forward.enabled = false;

  page.changed = async () => {
    moved();
    back.enabled = page.has(-1);
    forward.enabled = page.has(1);
    const { path, title } = page;
    const name = page.isDashboard && (await server.nameAt(path));
    if (path === page.path) {
      tab.title.label = name || title.replace(/^Home - | - MLflow$/, "");
      tab.title.caption = title;
    }
  };
  return tab;
}
