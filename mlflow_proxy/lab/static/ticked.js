// The runs that the user has ticked, and the bar that says what can be done with them.

import { button, element, iconButton } from "./elements.js";

export class Ticked {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    const { trans } = actions;
    const { codeIcon, closeIcon } = actions.lab.ui;
    /** @type {Map<string, import("./api.js").Run>} */
    this._runs = new Map();
    this._actions = actions;
    const json = (values) => encodeURIComponent(JSON.stringify([...values]));
    const query = () => `?runs=${json(this._runs.keys())}&experiments=${json(this._experiments)}`;
    const target = () => ({ ids: [...this._runs.keys()], experiments: [...this._experiments] });
    const insert = () => actions.insert("dataframe", target());
    const clear = () => (this._runs.clear(), this._show());
    this._count = element("span", { role: "status" });
    this._compare = button(trans.__("Compare"), () => actions.open(["compare-runs"], query()));
    const buttons = [
      this._compare,
      iconButton(codeIcon, trans.__("Insert DataFrame of these runs"), insert),
      iconButton(closeIcon, trans.__("Clear selection"), clear),
    ];
    this.node = element("div", { className: "jp-mlflow-bar", hidden: true }, this._count, ...buttons);
  }

  get _experiments() {
    return new Set([...this._runs.values()].map(({ experiment }) => experiment));
  }

  /** @param {string} id a run's */
  has(id) {
    return this._runs.has(id);
  }

  /** @param {import("./api.js").Run} run @param {boolean} isTicked */
  set(run, isTicked) {
    isTicked ? this._runs.set(run.id, run) : this._runs.delete(run.id);
    this._show();
  }

  _show() {
    this.node.hidden = !this._runs.size;
    this._compare.disabled = this._runs.size < 2;
    this._count.textContent = this._actions.trans.__("%1 selected", this._runs.size);
    this._actions.changed.emit(undefined);
  }
}
