// The row of one run. Its details are in their own section.

import { element } from "./elements.js";
import { age, number, statusText } from "./format.js";
import { Row } from "./row.js";
import { RunList } from "./runs.js";

export class RunRow extends Row {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {import("./api.js").Run} run
   * @param {() => import("./sorting.js").Sorting} sorting the list's
   */
  constructor(actions, run, sorting) {
    const { trans, ticked } = actions;
    const { codeIcon, launchIcon } = actions.lab.ui;
    const { id, experiment } = run;
    const box = element("input", { type: "checkbox", tabIndex: -1, onclick: (event) => event.stopPropagation() });
    const state = element("span", { className: "jp-mlflow-state", role: "img" });
    const target = () => ({ ...this.data, kind: "run" });
    super(actions, {
      kind: "run",
      list: new RunList(actions, [experiment], { parent: id, sorting }),
      target,
      activate: () => actions.showRun(id),
      buttons: [
        [codeIcon, trans.__("Insert code that loads the run"), () => actions.insert("load-run", target())],
        [launchIcon, trans.__("Open in the dashboard"), () => actions.openItem(target())],
      ],
      lead: [element("span", { className: "jp-mlflow-lead" }, state, box)],
    });
    this.data = run;
    this._sorting = sorting;
    this._box = box;
    this._state = state;
    /** Of the metric or parameter that the list shows. @type {any} */
    this.value = undefined;
    box.onchange = () => ticked.set(this.data, box.checked);
    this.tick = () => ticked.set(this.data, !box.checked);
    ticked.changed.connect(() => this._showTick());
  }

  /** @param {import("./api.js").Run} run */
  update(run) {
    this.data = run;
    const { trans } = this._actions;
    const { key, best } = this._sorting();
    const state = statusText(run.status, trans);
    const value = this.value === undefined ? "" : number(this.value);
    const isBest = best === run.id && Boolean(value);
    this._state.ariaLabel = state;
    this._box.ariaLabel = trans.__("Select %1", run.name);
    this.setExpandable(this._actions.parents.has(run.id));
    this.head.ariaSelected = String(this._actions.shownRun === run.id);
    const named = value && `${key} ${value}`;
    this.show({
      text: run.name,
      label: [run.name, state, named, isBest && trans.__("best"), age(run.start)].filter(Boolean).join(", "),
      title: [run.name, `${state} · ${age(run.start)}`, named].filter(Boolean).join("\n"),
      value,
      age: age(run.start),
      status: run.status,
      isBest,
    });
    this._showTick();
  }

  _showTick() {
    this._box.checked = this._actions.ticked.has(this.data.id);
  }
}
