// The sidebar's contents: MLflow's state, a search box, experiments with their runs, models.

import { button, element } from "./elements.js";
import { ExperimentList } from "./experiments.js";
import { Branch } from "./list.js";
import { modelList } from "./models.js";
import { describe } from "./running.js";
import { RunList } from "./runs.js";

export class Panel {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {import("./status.js").StatusModel} model
   * @param {() => boolean} isVisible
   */
  constructor(actions, model, isVisible) {
    this._actions = actions;
    this._model = model;
    this._isVisible = isVisible;
    this._trans = actions.trans;
    this._box = element("input");
    this._isFollowing = false;
    this._filter = "";
    /** @type {string[]} */
    this._searched = []; // IDs of experiments
    this._experiments = new ExperimentList(actions);
    this._found = new RunList(actions, () => this._searched, () => this._filter);
    this._found.node.hidden = true;
    const models = new Branch(actions, "div", modelList(actions));
    models.update({ name: this._trans.__("Registered models") });
    this._text = element("p");
    const start = () => actions.attempt(() => model.control("start"));
    this._start = button(this._trans.__("Start"), start);
    this._notice = element("div", { className: "jp-mlflow-notice" }, this._text, this._start);
    const parts = [actions.comparison.node, models.node, this._experiments.node, this._found.node];
    this._content = [this._form(), element("div", {}, ...parts)];
    this._content.forEach((part) => (part.hidden = true)); // until MLflow is ready
    const [form, lists] = this._content;
    this.node = element("div", {}, this._notice, form, actions.alert, lists);
    actions.follow(this.node);
    model.changed.connect(() => this._show());
  }

  _form() {
    const { _trans: trans } = this;
    Object.assign(this._box, {
      type: "search",
      ariaLabel: trans.__("Filter runs"),
      placeholder: trans.__("Filter runs: metrics.loss < 0.1"),
      title: trans.__("In MLflow's filter language, e.g. params.depth = '3' AND metrics.loss < 0.1"),
      oninput: () => this._box.value || this._search(),
    });
    const onsubmit = (event) => {
      event.preventDefault();
      this._search();
    };
    const refresh = element("button", { textContent: trans.__("Refresh") });
    return element("form", { role: "search", onsubmit }, this._box, refresh);
  }

  /** Ask for MLflow's state. */
  async look() {
    await this._model.refresh();
    this._show();
  }

  /** Show what is new, without being asked. */
  async follow() {
    const list = this._filter ? this._found : this._experiments;
    const isShown = this._isVisible() && !list.node.hidden; // not after a filter with a mistake
    if (isShown && this._isReady() && !this._isFollowing) {
      this._isFollowing = true;
      await list.follow().catch(() => {}); // the next time may do; MLflow's state is shown anyhow
      this._isFollowing = false;
    }
  }

  _isReady() {
    return this._model.status?.state === "ready";
  }

  _show() {
    const { status } = this._model;
    const isReady = this._isReady();
    if (isReady && this._notice.contains(document.activeElement)) {
      this._box.focus(); // the notice is hidden
    }
    this._notice.hidden = isReady;
    this._content.forEach((part) => (part.inert = !isReady));
    this._start.hidden = !status;
    this._start.ariaDisabled = String(status?.state === "starting"); // it keeps the focus
    this._text.textContent = status
      ? [describe(status, this._trans), status.remedy].join("\n").trim()
      : this._trans.__("MLflow's state is not known. Is Jupyter's server extension mlflow_proxy enabled?");
    if (isReady && this._content[0].hidden && this._isVisible()) {
      this._content.forEach((part) => (part.hidden = false));
      this._actions.attempt(() => this._experiments.load());
    }
  }

  _search() {
    this._filter = this._box.value.trim();
    this._experiments.node.hidden = Boolean(this._filter);
    this._found.node.hidden = true; // until they are those of this filter
    return this._actions.attempt(() => (this._filter ? this._find() : this._experiments.load()));
  }

  async _find() {
    this._searched = await this._experiments.all();
    await this._found.load();
    this._found.node.hidden = !this._filter;
  }
}
