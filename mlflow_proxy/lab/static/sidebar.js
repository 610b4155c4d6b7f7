// The sidebar as one of JupyterLab's panels: a toolbar, a head that stays, sections that open and close.

import { SIDEBAR } from "./commands.js";
import { Details } from "./details.js";
import { Experiments } from "./experiments.js";
import { follow } from "./follow.js";
import { Header } from "./header.js";
import { addItemCommands, itemCommands } from "./items.js";
import { Models } from "./models.js";
import { h, lab, trans, viewOf } from "./packages.js";
import { Results } from "./results.js";
import { Tree } from "./tree.js";

const SETTINGS = "jupyter-mlflow-proxy:plugin";
const RUN_TOOLS = ["open-item", "copy-id", "insert-load-run", "show-artifacts"];

/** @param {import("./store.js").Store} store */
export function addSidebar(store) {
  const { app, icon, model, services } = store;
  const isVisible = () => widget.isVisible && !document.hidden;
  addItemCommands(store, itemCommands(store));
  const widget = makeWidget(store);
  const see = () => {
    store.hasLoaded ||= store.isReady && isVisible();
    store.update();
  };
  model.changed.connect(see);
  const look = () => isVisible() && model.refresh().then(see);
  Object.assign(widget, { id: SIDEBAR, onAfterShow: look, onAfterAttach: look });
  Object.assign(widget.title, { icon, caption: trans.__("MLflow") });
  store.api.follow(widget.node);
  app.commands.addKeyBinding({ command: "mlflow:copy-id", keys: ["Accel C"], selector: ".jp-mlflow-row:focus" });
  model.watch(isVisible);

  let timer;
  const apply = () => {
    const { sidebar = true, refreshInterval = 10 } = store.settings?.composite ?? {};
    clearInterval(timer);
    timer = refreshInterval && setInterval(() => follow(store, isVisible()), Math.max(1, refreshInterval) * 1000);
    if (!sidebar) {
      widget.parent = null;
    } else if (!widget.isAttached) {
      app.shell.add(widget, "left", { rank: 900 });
    }
    app.commands.notifyCommandChanged();
  };
  apply(); // before JupyterLab restores its layout
  services.restorer?.add(widget, widget.id);
  // JupyterLab's restored layout would show a sidebar again that was hidden before.
  Promise.all([services.registry?.load(SETTINGS), app.restored]).then(([found]) => {
    store.settings = found;
    apply();
    found?.changed.connect(apply);
  });
}

function makeWidget(store) {
  const { commands, shell } = store.app;
  const side = new lab.ui.SidePanel();
  const { content } = side;
  const add = (to, icon, tooltip, onClick) =>
    to.toolbar.addItem(tooltip, new lab.ui.ToolbarButton({ icon, tooltip, onClick }));
  const { launchIcon, refreshIcon, collapseAllIcon } = lab.ui;
  const header = viewOf(store, () => h(Header, { store }));
  side.addClass("jp-mlflow-sidebar");
  Object.assign(side.node, { role: "region", ariaLabel: trans.__("MLflow") });
  side.header.addWidget(header);
  add(side, launchIcon, trans.__("Open the dashboard"), () => commands.execute("mlflow:open"));
  add(side, refreshIcon, trans.__("Refresh"), () => store.reload(false));
  add(side, collapseAllIcon, trans.__("Collapse all"), () => (store.open.clear(), store.keep()));

  let open = "";
  const share = () => { // the height, when a section is opened or closed
    const sizes = content.widgets.map(({ isHidden }) => Number(!isHidden));
    if (open !== String(sizes)) {
      open = String(sizes);
      content.setRelativeSizes(sizes);
      store.update();
    }
  };
  const addSection = (label, draw) => {
    const section = new lab.ui.PanelWithToolbar();
    section.title.label = label;
    section.addWidget(viewOf(store, () => !section.isHidden && draw()));
    side.addWidget(section);
    if (content.widgets.length > 1) content.collapse(content.widgets.length - 1);
    section.onAfterHide = section.onAfterShow = () => requestAnimationFrame(share); // when the panel has arranged it
    return section;
  };
  const addTree = (label, draw) => addSection(label, () => h(Tree, { label }, draw()));
  addTree(trans.__("Experiments"), () => store.hasLoaded && h(store.results ? Results : Experiments, { store }));
  const run = addSection(trans.__("Run"), () => h(Details, { store }));
  addTree(trans.__("Models"), () => h(Models, { store, kind: "model" }));
  addTree(trans.__("Prompts"), () => h(Models, { store, kind: "prompt" }));
  new ResizeObserver(() => content.update()).observe(header.node);

  const tools = store.commands.filter(({ name }) => RUN_TOOLS.includes(name));
  for (const { icon, label, execute, isVisible = () => true } of tools) {
    const act = () => store.shownRun && execute({ ...store.runs.get(store.shownRun), kind: "run" });
    if (isVisible()) add(run, icon, label, act);
  }
  store.showRun = (id) => {
    store.alert = "";
    store.shownRun = id;
    store.update();
    shell.activateById(SIDEBAR);
    content.expand(content.widgets.indexOf(run));
  };
  return side;
}
