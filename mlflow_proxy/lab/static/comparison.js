// The runs that the user selected, and the button that compares them.

import { button } from "./elements.js";

export class Comparison {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    this._trans = actions.trans;
    /** The IDs of their experiments, by their own. @type {Map<string, string>} */
    this._runs = new Map();
    const json = (values) => encodeURIComponent(JSON.stringify([...new Set(values)]));
    const query = () => `?runs=${json(this._runs.keys())}&experiments=${json(this._runs.values())}`;
    const open = () => actions.open(["compare-runs"], query());
    this.node = button("", open, { className: "jp-mlflow-compare", hidden: true });
  }

  /** @param {string} run its ID */
  has(run) {
    return this._runs.has(run);
  }

  /** @param {{run_id: string, experiment_id: string}} info @param {boolean} isSelected */
  select({ run_id, experiment_id }, isSelected) {
    if (isSelected) {
      this._runs.set(run_id, experiment_id);
    } else {
      this._runs.delete(run_id);
    }
    this.node.hidden = !this._runs.size;
    this.node.disabled = this._runs.size < 2;
    this.node.textContent = this._trans.__("Compare selected runs (%1)", this._runs.size);
  }
}
