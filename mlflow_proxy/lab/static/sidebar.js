// The sidebar as one of JupyterLab's panels: a toolbar, a head that stays, sections that open and close.

import { Actions } from "./actions.js";
import { addItemCommands } from "./items.js";
import { Memory } from "./memory.js";
import { Panel } from "./panel.js";

const ID = "jp-mlflow-sidebar";

/**
 * @param {import("./extension.js").Parts} parts
 * @param {Record<string, any>} services those of the application; another one may have fewer
 */
export function addSidebar(parts, { restorer, notebooks, database, palette }) {
  const { app, lab, icon, model, settings, trans } = parts;
  const isVisible = () => widget.isVisible && !document.hidden;
  const actions = new Actions(parts, notebooks, new Memory(database));
  const panel = new Panel(actions, model, isVisible);
  const widget = makeWidget(parts, panel, actions);
  const look = () => void (isVisible() && panel.look());
  Object.assign(widget, { id: ID, onAfterShow: look, onAfterAttach: look });
  Object.assign(widget.title, { icon, caption: trans.__("MLflow") });
  model.watch(isVisible);
  addItemCommands(actions);
  const label = trans.__("Show MLflow's Sidebar");
  const command = "mlflow:show-sidebar";
  const isEnabled = () => widget.isAttached;
  app.commands.addCommand(command, { label, caption: label, isEnabled, execute: () => app.shell.activateById(ID) });
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

/** @param {import("./extension.js").Parts} parts @param {Panel} panel @param {Actions} actions */
function makeWidget({ lab, app, trans }, panel, actions) {
  const { SidePanel, PanelWithToolbar, ToolbarButton, refreshIcon, launchIcon, collapseAllIcon } = lab.ui;
  const { Widget } = lab.widgets;
  const tool = (icon, tooltip, onClick) => new ToolbarButton({ icon, tooltip, onClick });
  const side = new SidePanel();
  side.addClass("jp-mlflow-sidebar");
  Object.assign(side.node, { role: "region", ariaLabel: trans.__("MLflow") });
  side.header.addWidget(new Widget({ node: panel.header }));
  side.toolbar.addItem("open", tool(launchIcon, trans.__("Open the dashboard"), () => app.commands.execute("mlflow:open")));
  side.toolbar.addItem("refresh", tool(refreshIcon, trans.__("Refresh"), () => panel.refresh()));
  const collapse = () => [...panel.experiments.items.values()].forEach((row) => row.toggle(false));
  side.toolbar.addItem("collapse", tool(collapseAllIcon, trans.__("Collapse all"), collapse));

  const [, run, models, prompts] = [
    ["Experiments", panel.tree], ["Run", panel.details.node], ["Models", panel.modelTree], ["Prompts", panel.promptTree],
  ].map(([label, node]) => {
    const section = new PanelWithToolbar();
    section.title.label = trans.__(label);
    section.addWidget(new Widget({ node }));
    side.addWidget(section);
    return section;
  });
  const { content } = side;
  const place = (section) => content.widgets.indexOf(section);
  for (const section of [run, models, prompts]) content.collapse(place(section));
  content.expansionToggled.connect(() => content.setRelativeSizes(content.widgets.map(({ isHidden }) => Number(!isHidden))));
  new ResizeObserver(() => content.update()).observe(panel.header);
  const load = (section, list) => (section.onAfterShow = () => void actions.attempt(() => list.load()));
  load(models, panel.models);
  load(prompts, panel.prompts);

  actions.showRun = (id) => {
    const before = actions.shownRun;
    actions.shownRun = id;
    panel.tree.querySelectorAll(".jp-mlflow-row[data-kind=run]").forEach((head) => {
      const { mlflowRow: row } = /** @type {any} */ (head);
      [before, id].includes(row.data.id) && row.update(row.data);
    });
    app.shell.activateById(ID);
    content.expand(place(run));
    return actions.attempt(() => panel.details.load(id));
  };
  addRunTools(run, panel, actions, tool);
  return side;
}

/** What can be done with the run whose details are shown. */
function addRunTools(section, panel, actions, tool) {
  const { lab, trans } = actions;
  const { launchIcon, copyIcon, codeIcon, folderIcon } = lab.ui;
  const target = () => ({ ...panel.details.run, kind: "run" });
  const add = (name, icon, title, act) => section.toolbar.addItem(name, tool(icon, title, () => panel.details.run && act()));
  add("open", launchIcon, trans.__("Open in the dashboard"), () => actions.openItem(target()));
  add("copy", copyIcon, trans.__("Copy run ID"), () => actions.copy(target().id, trans.__("Run ID copied")));
  add("insert", codeIcon, trans.__("Insert code that loads the run"), () => actions.insert("load-run", target()));
  const artifacts = "mlflow-proxy:open-artifacts";
  if (actions.app.commands.hasCommand(artifacts)) {
    add("artifacts", folderIcon, trans.__("Show artifacts"), () =>
      actions.app.commands.execute(artifacts, { run_id: target().id }));
  }
}
