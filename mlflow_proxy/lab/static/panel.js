// What the sidebar shows: MLflow's state, a search box, experiments with their runs, a run's details, models.

import { Details } from "./details.js";
import { button, element, iconButton } from "./elements.js";
import { ExperimentList } from "./experiments.js";
import { modelList } from "./models.js";
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
    this._text = ""; // that is searched
    this._isFollowing = false;
    this._hasLoaded = false;
    this.experiments = new ExperimentList(actions);
    this._found = new RunList(actions, []);
    this._named = new ExperimentList(actions, "");
    this._results = element("div", { hidden: true }, this._named.node, this._found.node);
    this.details = new Details(actions);
    this.models = modelList(actions, "model");
    this.prompts = modelList(actions, "prompt");
    this.tree = this._tree(trans.__("Experiments"), this.experiments.node, this._results);
    this.modelTree = this._tree(trans.__("Models"), this.models.node);
    this.promptTree = this._tree(trans.__("Prompts"), this.prompts.node);

    this._box = element("input", {
      type: "search",
      ariaLabel: trans.__("Search experiments and runs"),
      placeholder: trans.__("Search runs"),
      title: [trans.__("Words of names, or comparisons:"), ...EXAMPLES].join("\n"),
      oninput: () => this._box.value || this._search(),
    });
    const onsubmit = (event) => (event.preventDefault(), this._search());
    const submit = iconButton(actions.lab.ui.searchIcon, trans.__("Search"), () => this._search());
    this._form = element("form", { role: "search", onsubmit }, this._box, submit);
    this._state = element("p");
    this._start = button(trans.__("Start"), () => actions.attempt(() => model.control("start")));
    this._log = button(trans.__("Show log"), () => actions.app.commands.execute("mlflow:show-log"));
    this._notice = element("div", { className: "jp-mlflow-notice" }, this._state, this._start, this._log);
    const head = [this._notice, this._form, actions.ticked.node, actions.alert];
    this.header = element("div", { className: "jp-mlflow-header" }, ...head);
    this._usable = [this._form, this.tree, this.details.node, this.modelTree, this.promptTree];
    this._usable.forEach((part) => (part.inert = true)); // until MLflow is ready
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
  async refresh() {
    const { details, experiments } = this;
    await (this._text ? this._search() : this._actions.attempt(() => experiments.load()));
    const lists = [this.models, this.prompts].filter(({ node }) => node.offsetParent);
    await Promise.all(lists.map((list) => this._actions.attempt(() => list.load())));
    details.run && (await this._actions.attempt(() => details.load(details.run.id)));
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
      if (this._model.status?.state === "ready" && this._hasLoaded) {
        await watch.look();
        if (isShown) {
          await (this._text ? this._followFound() : this.experiments.follow());
          await this.details.follow();
        }
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

  _show() {
    const { status } = this._model;
    const isReady = status?.state === "ready";
    const hadFocus = this._notice.contains(document.activeElement);
    this._notice.hidden = isReady;
    // A state that is unknown for a moment does not take the focus.
    this._usable.forEach((part) => (part.inert = status ? !isReady : !this._hasLoaded));
    if (isReady && hadFocus) this._box.focus();
    this._start.hidden = !status || NEEDS_RESTART.test(status.remedy);
    this._start.ariaDisabled = String(status?.state === "starting"); // it keeps the focus
    this._log.hidden = status?.state !== "failed";
    const { trans } = this._actions;
    this._state.textContent = status
      ? [describe(status, trans), status.remedy].join("\n").trim()
      : trans.__("MLflow's state is not known. Is Jupyter's server extension mlflow_proxy enabled?");
    if (isReady && !this._hasLoaded && this._isVisible()) {
      this._hasLoaded = true;
      this._actions.attempt(() => this.experiments.load());
    }
  }

  _search() {
    return this._actions.attempt(async () => {
      const text = (this._text = this._box.value.trim());
      text && (await this._find(text));
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
    const [, named, quoted] = filters[0].match(/metrics\.(?:(\w+)|`([^`]+)`)/) ?? [];
    const found = this._found;
    Object.assign(found, { experiments: all.map(({ id }) => id), filters });
    found.sorting = byTime([named ?? quoted ?? ""]); // what is compared is shown
    try {
      await found.load();
    } catch (/** @type {any} */ error) {
      const [sentence] = error.message.split(/(?<=[.'"])\s|\n/);
      throw new Error(this._actions.trans.__("MLflow refused this search: %1 Try e.g. %2", sentence, EXAMPLES[0]));
    }
    const isNamed = ({ name }) => words.every((word) => name.toLowerCase().includes(word.toLowerCase()));
    this._named.show(words.length ? all.filter(isNamed).slice(0, 20) : []);
  }
}
