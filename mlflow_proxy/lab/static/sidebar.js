// The sidebar as one of JupyterLab's panels: a toolbar, a head that stays, sections that open and close.

import { Actions } from "./actions.js";
import { addItemCommands, ARTIFACTS } from "./items.js";
import { Panel } from "./panel.js";

const ID = "jp-mlflow-sidebar";

/**
 * @param {import("./extension.js").Parts} parts
 * @param {Record<string, any>} services those of the application; another one may have fewer
 */
export function addSidebar(parts, { restorer, notebooks, database, palette }) {
  const { app, icon, model, settings, trans } = parts;
  const isVisible = () => widget.isVisible && !document.hidden;
  const actions = new Actions(parts, notebooks, database);
  const panel = new Panel(actions, model, isVisible);
  const widget = makeWidget(actions, panel);
  const look = () => void (isVisible() && panel.look());
  Object.assign(widget, { id: ID, onAfterShow: look, onAfterAttach: look });
  Object.assign(widget.title, { icon, caption: trans.__("MLflow") });
  model.watch(isVisible);
  addItemCommands(actions);
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

/** @param {Actions} actions @param {Panel} panel */
function makeWidget(actions, panel) {
  const { app, lab, trans } = actions;
  const { SidePanel, PanelWithToolbar, ToolbarButton, ...icons } = lab.ui;
  const { Widget } = lab.widgets;
  const { commands } = app;
  const side = new SidePanel();
  const { content } = side;
  const add = (to, name, icon, tooltip, onClick) =>
    to.toolbar.addItem(name, new ToolbarButton({ icon: icons[`${icon}Icon`], tooltip, onClick }));
  const collapse = () => [...panel.experiments.items.values()].forEach((row) => row.toggle(false));
  side.addClass("jp-mlflow-sidebar");
  Object.assign(side.node, { role: "region", ariaLabel: trans.__("MLflow") });
  side.header.addWidget(new Widget({ node: panel.header }));
  add(side, "open", "launch", trans.__("Open the dashboard"), () => commands.execute("mlflow:open"));
  add(side, "refresh", "refresh", trans.__("Refresh"), () => panel.refresh());
  add(side, "collapse", "collapseAll", trans.__("Collapse all"), collapse);

  let open = "";
  const share = () => { // the height, when a section is opened or closed
    const sizes = content.widgets.map(({ isHidden }) => Number(!isHidden));
    if (open !== String(sizes)) {
      open = String(sizes);
      content.setRelativeSizes(sizes);
    }
  };
  const section = (label, node, list) => {
    const made = new PanelWithToolbar();
    made.title.label = label;
    made.addWidget(new Widget({ node }));
    side.addWidget(made);
    if (label !== trans.__("Experiments")) content.collapse(content.widgets.length - 1);
    made.onAfterHide = () => requestAnimationFrame(share);
    made.onAfterShow = () => {
      requestAnimationFrame(share); // when the panel has arranged it
      list && actions.attempt(() => list.load());
    };
    return made;
  };
  section(trans.__("Experiments"), panel.tree);
  const run = section(trans.__("Run"), panel.details.node);
  section(trans.__("Models"), panel.modelTree, panel.models);
  section(trans.__("Prompts"), panel.promptTree, panel.prompts);
  new ResizeObserver(() => content.update()).observe(panel.header);

  const shown = () => ({ ...panel.details.run, kind: "run" });
  const addTool = (name, icon, tooltip, act) =>
    add(run, name, icon, tooltip, () => panel.details.run && act(shown()));
  addTool("open", "launch", trans.__("Open in the dashboard"), actions.openItem);
  addTool("copy", "copy", trans.__("Copy run ID"), ({ id }) => actions.copy(id, trans.__("Run ID copied")));
  addTool("insert", "code", trans.__("Insert code: load run"), (target) => actions.insert("load-run", target));
  if (commands.hasCommand(ARTIFACTS)) {
    addTool("artifacts", "folder", trans.__("Show artifacts"), ({ id }) => commands.execute(ARTIFACTS, { run_id: id }));
  }
  actions.showRun = (id) => {
    actions.shownRun = id;
    actions.changed.emit(undefined);
    app.shell.activateById(ID);
    content.expand(content.widgets.indexOf(run));
    return actions.attempt(() => panel.details.load(id));
  };
  return side;
}
