// MLflow's dashboard in a tab of JupyterLab.

import { openLinksInTab } from "./links.js";
import { Names } from "./names.js";
import { Page } from "./page.js";

const ID = "mlflow-dashboard";
const SANDBOX = ["same-origin", "scripts", "popups", "forms", "downloads", "modals"].map((what) => `allow-${what}`);
const TILE = { command: "server-proxy:open", id: "server-proxy:mlflow" }; // jupyter-server-proxy's

/**
 * @param {Omit<import("./extension.js").Parts, "open">} parts
 * @param {any} restorer JupyterLab's ILayoutRestorer, if the application has one
 * @param {any} labShell JupyterLab's ILabShell; an application without it has no tabs
 * @returns {(path: string) => any} opens the tab at a path below the dashboard's address
 */
export function addTab(parts, restorer, labShell) {
  const { lab, app, server } = parts;
  let opensBrowser = !labShell;
  let tab;
  const tracker = new lab.apputils.WidgetTracker({ namespace: "mlflow" });
  void restorer?.restore(tracker, {
    command: "mlflow:open",
    args: ({ page }) => ({ path: page.path }),
    name: () => ID,
  });

  const open = (path, place) => {
    if (opensBrowser) {
      window.open(server.url + path, "_blank");
    } else if (!tab || tab.isDisposed) {
      tab = createTab(parts, path, () => void tracker.save(tab));
      tab.page.refused = () => {
        opensBrowser = true; // a hub forbids frames (see framing.py)
        tab.dispose();
        open(path);
      };
      app.shell.add(tab, "main", place);
      void tracker.add(tab);
    } else if (path) {
      tab.page.open(path);
    }
    app.shell.activateById(ID);
    return tab;
  };

  app.commands.commandExecuted.connect(async (_, { id, args, result }) => {
    if (id === TILE.command && args.id === TILE.id && !args.newBrowserTab) {
      const theirs = await result;
      requestAnimationFrame(() => { // once the launcher has given its place to it
        open("", { ref: theirs.id, mode: "tab-after" });
        theirs.dispose();
      });
    }
  });
  openLinksInTab(parts, open);
  return open;
}

/** A widget with a toolbar, and with its `page`; `moved` is called after each change of its path. */
function createTab({ lab, server, icon, trans }, path, moved) {
  const content = new lab.apputils.IFrame({ sandbox: SANDBOX });
  content.addClass("jp-mlflow-dashboard");
  const frame = content.node.querySelector("iframe");
  // Lazy: where JupyterLab restores it behind other tabs, MLflow is not started.
  Object.assign(frame, { title: trans.__("MLflow"), loading: "lazy" });
  const page = new Page(frame, new URL(server.url, location.href).href, path);
  content.onBeforeDetach = () => page.stay();

  const tab = Object.assign(new lab.apputils.MainAreaWidget({ content }), { id: ID, page });
  Object.assign(tab.title, { label: trans.__("MLflow"), icon, closable: true });
  const { caretLeftIcon, caretRightIcon, launchIcon, refreshIcon, ToolbarButton } = lab.ui;
  const add = (name, buttonIcon, tooltip, onClick) => {
    const button = new ToolbarButton({ icon: buttonIcon, tooltip, onClick });
    tab.toolbar.addItem(name, button);
    return button;
  };
  const back = add("back", caretLeftIcon, trans.__("Back"), () => page.go(-1));
  const forward = add("forward", caretRightIcon, trans.__("Forward"), () => page.go(1));
  add("reload", refreshIcon, trans.__("Reload"), () => page.go(0));
  add("browser", launchIcon, trans.__("Open in a New Browser Tab"), () => window.open(page.address, "_blank"));

  const names = new Names(server);
  page.changed = async () => {
    moved();
    Object.assign(back, { enabled: page.has(-1) });
    Object.assign(forward, { enabled: page.has(1) });
    const { path, title } = page;
    const name = page.isDashboard && (await names.at(path));
    if (path === page.path) {
      tab.title.label = name || title.replace(/ - MLflow$/, "");
      tab.title.caption = title;
    }
  };
  return tab;
}
