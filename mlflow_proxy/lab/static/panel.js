// The sidebar's contents: MLflow's state, a search box, experiments with their runs, a run's details, models.

import { Details } from "./details.js";
import { button, element, iconButton } from "./elements.js";
import { ExperimentList } from "./experiments.js";
import { ModelList } from "./models.js";
import { addKeys, rowAt } from "./row.js";
import { describe } from "./running.js";
import { RunList } from "./runs.js";
import { parse } from "./search.js";
import { byTime } from "./sorting.js";

const EXAMPLES = ["accuracy > 0.85", "params.depth = 3", "status = failed"];
const NEEDS_RESTART = /^(?!.*\bor correct\b).*\brestart Jupyter\.$/is; // another try would fail, too

export class Panel {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {import("./status.js").StatusModel} model
   * @param {() => boolean} isVisible
   */
  constructor(actions, model, isVisible) {
    const { trans } = actions;
    this._actions = actions;
    this._model = model;
    this._isVisible = isVisible;
    this._trans = trans;
    this._text = "";
    this._isFollowing = false;
    this._hasLoaded = false;
    this.experiments = new ExperimentList(actions);
    actions.used = (id) => this.experiments.used.get(id) ?? NaN;
    this._found = new RunList(actions, []);
    this._named = new ExperimentList(actions, "");
    this._named.load = async () => {};
    this.details = new Details(actions);
    this.models = new ModelList(actions, false);
    this.prompts = new ModelList(actions, true);
    this._box = element("input", {
      type: "search",
      ariaLabel: trans.__("Search experiments and runs"),
      placeholder: trans.__("Search runs"),
      title: trans.__("Words of names, or comparisons:") + `\n${EXAMPLES.join("\n")}`,
      oninput: () => this._box.value || this._search(),
    });
    this._state = element("p");
    this._start = button(trans.__("Start"), () => actions.attempt(() => model.control("start")));
    this._log = button(trans.__("Show log"), () => actions.app.commands.execute("mlflow:show-log"));
    this._notice = element("div", { className: "jp-mlflow-notice" }, this._state, this._start, this._log);
    const onsubmit = (event) => {
      event.preventDefault();
      this._search();
    };
    const submit = iconButton(actions.lab.ui.searchIcon, trans.__("Search"), () => this._search());
    this._form = element("form", { role: "search", onsubmit }, this._box, submit);
    const head = [this._notice, this._form, actions.ticked.node, actions.alert];
    this.header = element("div", { className: "jp-mlflow-header" }, ...head);
    this._results = element("div", { hidden: true }, this._named.node, this._found.node);
    this.tree = this._tree(trans.__("Experiments"), this.experiments.node, this._results);
    this.modelTree = this._tree(trans.__("Models"), this.models.node);
    this.promptTree = this._tree(trans.__("Prompts"), this.prompts.node);
    this.sections = [this.tree, this.details.node, this.modelTree, this.promptTree];
    [this._form, ...this.sections].forEach((part) => (part.inert = true)); // until MLflow is ready
    model.changed.connect(() => this._show());
  }

  /** @param {string} ariaLabel @param {...HTMLElement} lists */
  _tree(ariaLabel, ...lists) {
    const tree = element("div", { className: "jp-mlflow-tree", role: "tree", ariaLabel }, ...lists);
    addKeys(tree);
    this._actions.trees.push(tree);
    this._actions.api.follow(tree);
    for (const type of ["contextmenu", "keydown"]) {
      const note = (event) => (this._actions.meant = rowAt(event.target));
      tree.addEventListener(type, note, { capture: true });
    }
    return tree;
  }

  /** Ask for MLflow's state. */
  async look() {
    await this._model.refresh();
    this._show();
  }

  /** Reload what is shown, as the user asked. */
  refresh() {
    const { models, prompts, details } = this;
    const main = this._text ? this._search() : this._actions.attempt(() => this.experiments.load());
    const shown = [models, prompts].filter((list) => list.node.checkVisibility?.() ?? true);
    const more = [...shown.map((list) => list.load()), ...(details.run ? [details.load(details.run.id)] : [])];
    return Promise.all([main, this._actions.attempt(() => Promise.all(more))]);
  }

  /** Show what is new, without being asked. */
  async follow() {
    const { watch } = this._actions;
    const isShown = this._isVisible();
    if (this._isFollowing || (!isShown && watch.isIdle)) {
      return;
    }
    this._isFollowing = true;
    try {
      if (!isShown) await this._model.refresh(); // not looked at otherwise
      if (this._isReady() && this._hasLoaded) {
        await watch.look();
        if (isShown) await Promise.all([this._text ? this._followFound() : this.experiments.follow(), this.details.follow()]);
      }
    } catch {
      // The next time may do; MLflow's state is shown anyhow.
    }
    this._isFollowing = false;
  }

  async _followFound() {
    const [page] = await this._actions.api.runs([this._found.newer]);
    await this._found.follow(page);
  }

  _isReady() {
    return this._model.status?.state === "ready";
  }

  _show() {
    const { status } = this._model;
    const isReady = this._isReady();
    if (isReady && this._notice.contains(document.activeElement)) {
      this._form.inert = false;
      this._box.focus(); // the notice is hidden
    }
    this._notice.hidden = isReady;
    [this._form, ...this.sections].forEach((part) => (part.inert = !isReady));
    this._start.hidden = !status || NEEDS_RESTART.test(status.remedy);
    this._log.hidden = status?.state !== "failed";
    this._start.ariaDisabled = String(status?.state === "starting"); // it keeps the focus
    this._state.textContent = status
      ? [describe(status, this._trans), status.remedy].join("\n").trim()
      : this._trans.__("MLflow's state is not known. Is Jupyter's server extension mlflow_proxy enabled?");
    if (isReady && !this._hasLoaded && this._isVisible()) {
      this._hasLoaded = true;
      this._actions.attempt(async () => {
        await this._actions.memory.load();
        await this.experiments.load();
      });
    }
  }

  _search() {
    this._text = this._box.value.trim();
    return this._actions.attempt(async () => {
      const { _text: text } = this;
      if (text) {
        await this._find(text);
      }
      if (text === this._text) {
        this._results.hidden = !text;
        this.experiments.node.hidden = Boolean(text);
        this._actions.arranged();
      }
    });
  }

  /** Find experiments and runs; what is shown stays if MLflow refuses. @param {string} text */
  async _find(text) {
    const all = await this.experiments.all();
    const { words, filters } = parse(text);
    const isNamed = ({ name }) => words.every((word) => name.toLowerCase().includes(word.toLowerCase()));
    this._found.experiments = all.map((each) => each.experiment_id);
    this._found.filters = filters;
    const [, named, quoted] = filters[0].match(/metrics\.(?:(\w+)|`([^`]+)`)/) ?? [];
    this._found.sorting = byTime([named ?? quoted ?? ""]); // what is compared is shown
    try {
      await this._found.load();
    } catch (/** @type {any} */ error) {
      const [sentence] = error.message.split(/(?<=[.'"])\s|\n/);
      throw new Error(this._trans.__("MLflow refused this search: %1 Try e.g. %2", sentence, EXAMPLES[0]));
    }
    this._named.show(words.length ? all.filter(isNamed).slice(0, 20) : []);
  }
}
