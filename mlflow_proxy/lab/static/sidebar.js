// The sidebar as one of JupyterLab's panels: a toolbar, a head that stays, sections that open and close.

import { DetailsView } from "./details.js";
import { Header } from "./header.js";
import { addItemCommands, itemCommands } from "./items.js";
import { h, lab, trans } from "./packages.js";
import { Panel } from "./panel.js";
import { Tree } from "./tree.js";

const ID = "jp-mlflow-sidebar";
const RUN_TOOLS = ["open-item", "copy-id", "insert-load-run", "show-artifacts"];

/**
 * @param {import("./extension.js").Parts} parts
 * @param {import("./store.js").Store} store
 * @param {Record<string, any>} services those of the application; another one may have fewer
 */
export function addSidebar({ app, icon, model, settings }, store, { restorer, palette }) {
  const isVisible = () => widget.isVisible && !document.hidden;
  const panel = new Panel(store, model, isVisible);
  addItemCommands(store, itemCommands(store));
  const widget = makeWidget(store, panel);
  const look = () => void (isVisible() && panel.look());
  Object.assign(widget, { id: ID, onAfterShow: look, onAfterAttach: look });
  Object.assign(widget.title, { icon, caption: trans.__("MLflow") });
  store.api.follow(widget.node);
  model.watch(isVisible);
  const command = "mlflow:show-sidebar";
  app.commands.addCommand(command, {
    label: trans.__("Show MLflow's Sidebar"),
    isEnabled: () => widget.isAttached,
    execute: () => app.shell.activateById(ID),
  });
  palette?.addItem({ command, category: trans.__("MLflow") });

  let timer;
  const apply = (found) => {
    const { sidebar = true, refreshInterval = 10 } = found?.composite ?? {};
    clearInterval(timer);
    timer = refreshInterval && setInterval(() => panel.follow(), Math.max(1, refreshInterval) * 1000);
    if (!sidebar) {
      widget.parent = null;
    } else if (!widget.isAttached) {
      app.shell.add(widget, "left", { rank: 900 });
    }
    app.commands.notifyCommandChanged(command);
  };
  apply(null); // before JupyterLab restores its layout
  restorer?.add(widget, widget.id);
  settings.then((found) => {
    apply(found);
    found?.changed.connect(apply);
  });
}

/** @param {import("./store.js").Store} store @param {Panel} panel */
function makeWidget(store, panel) {
  const { commands, shell } = store.app;
  const side = new lab.ui.SidePanel();
  const { content } = side;
  const add = (to, icon, tooltip, onClick) =>
    to.toolbar.addItem(tooltip, new lab.ui.ToolbarButton({ icon, tooltip, onClick }));
  const view = (draw) => lab.ui.ReactWidget.create(h(lab.ui.UseSignal, { signal: store.changed }, draw));
  const { launchIcon, refreshIcon, collapseAllIcon } = lab.ui;
  const header = view(() => h(Header, { panel }));
  side.addClass("jp-mlflow-sidebar");
  Object.assign(side.node, { role: "region", ariaLabel: trans.__("MLflow") });
  side.header.addWidget(header);
  const visible = () => [models, prompts].filter(({ section }) => section.isVisible).map(({ list }) => list);
  add(side, launchIcon, trans.__("Open the dashboard"), () => commands.execute("mlflow:open"));
  add(side, refreshIcon, trans.__("Refresh"), () => panel.refresh(visible()));
  add(side, collapseAllIcon, trans.__("Collapse all"), () => panel.experiments.rows.forEach((row) => row.toggle(false)));

  let open = "";
  const share = () => { // the height, when a section is opened or closed
    const sizes = content.widgets.map(({ isHidden }) => Number(!isHidden));
    if (open !== String(sizes)) {
      open = String(sizes);
      content.setRelativeSizes(sizes);
    }
  };
  const addSection = (label, draw, load = () => {}) => {
    const section = new lab.ui.PanelWithToolbar();
    section.title.label = label;
    section.addWidget(view(draw));
    side.addWidget(section);
    if (content.widgets.length > 1) content.collapse(content.widgets.length - 1);
    section.onAfterHide = () => requestAnimationFrame(share); // when the panel has arranged it
    section.onAfterShow = () => (requestAnimationFrame(share), load());
    return section;
  };
  const addTree = (label, list) => {
    const draw = () => h(Tree, { label, lists: [list] });
    return { list, section: addSection(label, draw, () => store.attempt(() => list.load())) };
  };
  const label = trans.__("Experiments");
  addSection(label, () => panel.hasLoaded && h(Tree, { label, lists: panel.lists }));
  const run = addSection(trans.__("Run"), () => h(DetailsView, { details: panel.details, names: store.names }));
  const models = addTree(trans.__("Models"), panel.models);
  const prompts = addTree(trans.__("Prompts"), panel.prompts);
  new ResizeObserver(() => content.update()).observe(header.node);

  const tools = store.commands.filter(({ name }) => RUN_TOOLS.includes(name));
  for (const { icon, label, execute, isVisible = () => true } of tools) {
    if (isVisible()) add(run, icon, label, () => panel.details.run && execute({ ...panel.details.run, kind: "run" }));
  }
  store.showRun = (id) => {
    store.shownRun = id;
    store.update();
    shell.activateById(ID);
    content.expand(content.widgets.indexOf(run));
    return store.attempt(() => panel.details.load(id));
  };
  return side;
}
