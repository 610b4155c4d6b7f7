// Experiments and their latest runs, beside the notebook.

import { Actions } from "./actions.js";
import { Panel } from "./panel.js";

/**
 * @param {import("./extension.js").Parts} parts
 * @param {any} restorer JupyterLab's ILayoutRestorer, if the application has one
 * @param {any} notebooks JupyterLab's INotebookTracker, if the application has one
 */
export function addSidebar(parts, restorer, notebooks) {
  const { app, lab, icon, model, settings, trans } = parts;
  const isVisible = () => widget.isVisible && !document.hidden;
  const panel = new Panel(new Actions(parts, notebooks), model, isVisible);
  const widget = new lab.widgets.Widget({ node: panel.node });
  const look = () => void (isVisible() && panel.look());
  Object.assign(widget, { id: "jp-mlflow-sidebar", onAfterShow: look, onAfterAttach: look });
  widget.addClass("jp-mlflow-sidebar");
  Object.assign(widget.node, { role: "region", ariaLabel: trans.__("MLflow") });
  Object.assign(widget.title, { icon, caption: trans.__("MLflow") });
  model.watch(isVisible);

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
  };
  apply(null); // before JupyterLab restores its layout
  restorer?.add(widget, widget.id);
  settings.then((found) => {
    apply(found);
    found?.changed.connect(apply);
  });
}
