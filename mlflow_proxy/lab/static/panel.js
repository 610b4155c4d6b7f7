// What the sidebar has: experiments with their runs, or what a search has found; a run's details; models.

import { Details } from "./details.js";
import { ExperimentList, ExperimentRow } from "./experiments.js";
import { PagedList } from "./list.js";
import { modelList } from "./models.js";
import { trans } from "./packages.js";
import { RunList } from "./runs.js";
import { parse } from "./search.js";
import { byTime } from "./sorting.js";
import { running, watch } from "./watch.js";

export const EXAMPLES = ["accuracy > 0.85", "params.depth = 3", "status = failed"];
const MAX_NAMED = 20; // experiments that a search shows

export class Panel {
  /**
   * @param {import("./store.js").Store} store
   * @param {import("./status.js").StatusModel} model
   * @param {() => boolean} isVisible
   */
  constructor(store, model, isVisible) {
    this.store = store;
    this.model = model;
    this._isVisible = isVisible;
    this._isFollowing = false;
    /** MLflow has been ready: there is something to see. */
    this.hasLoaded = false;
    this.experiments = new ExperimentList(store);
    this.details = new Details(store);
    this.models = modelList(store, "model");
    this.prompts = modelList(store, "prompt");
    /** What a search has found: experiments and runs. @type {[PagedList, RunList] | undefined} */
    this.results = undefined;
    model.changed.connect(() => this._see());
  }

  /** What the tree of experiments shows. @returns {PagedList[]} */
  get lists() {
    return this.results ?? [this.experiments];
  }

  get isReady() {
    return this.model.status?.state === "ready";
  }

  /** Ask for MLflow's state. */
  async look() {
    await this.model.refresh();
    this._see();
  }

  _see() {
    if (this.isReady && !this.hasLoaded && this._isVisible()) {
      this.hasLoaded = true;
      void this.store.attempt(() => this.experiments.load());
    }
    this.store.update();
  }

  /** Reload what is shown, as the user asked. @param {PagedList[]} lists more than those of the experiments */
  async refresh(lists) {
    const { run } = this.details;
    const all = [this.results?.[1] ?? this.experiments, ...lists].map((list) => list.load());
    await this.store.attempt(() => Promise.all([...all, run && this.details.load(run.id)]));
  }

  /** Show what is new, without being asked. */
  async follow() {
    const isShown = this._isVisible();
    if (this._isFollowing || (!isShown && !running(this.store).length)) {
      return;
    }
    this._isFollowing = true;
    try {
      if (!isShown) await this.model.refresh(); // not looked at otherwise
      if (this.isReady && this.hasLoaded) {
        await watch(this.store);
        if (isShown) {
          await (this.results ? this._followFound(this.results[1]) : this.experiments.follow());
          await this.details.follow();
        }
      }
    } catch {
      // The next time may do; MLflow's state is shown anyhow.
    }
    this._isFollowing = false;
    this.store.update(); // ages go on
  }

  /** @param {RunList} found */
  async _followFound(found) {
    const [page] = await this.store.api.runs([found.newer]);
    await found.follow(page);
  }

  /** Show what a text finds, or all experiments again without one. @param {string} text */
  search(text) {
    return this.store.attempt(async () => {
      const asked = (this._asked = text ? this._find(text) : undefined);
      const results = await asked; // what is shown stays if MLflow refuses
      if (asked === this._asked) this.results = results;
    });
  }

  /** @param {string} text @returns {Promise<[PagedList, RunList]>} */
  async _find(text) {
    const { store } = this;
    const all = await this.experiments.all();
    const { words, filters } = parse(text);
    const [, name, quoted] = filters[0].match(/metrics\.(?:(\w+)|`([^`]+)`)/) ?? [];
    const found = new RunList(store, all.map(({ id }) => id));
    found.filters = filters;
    found.sorting = byTime([name ?? quoted ?? ""]); // what is compared is shown
    try {
      await found.load();
    } catch (/** @type {any} */ error) {
      const [sentence] = error.message.split(/(?<=[.'"])\s|\n/);
      throw new Error(trans.__("MLflow refused this search: %1 Try e.g. %2", sentence, EXAMPLES[0]));
    }
    const isNamed = (experiment) => words.every((word) => experiment.name.toLowerCase().includes(word.toLowerCase()));
    const named = words.length ? all.filter(isNamed).slice(0, MAX_NAMED) : [];
    const search = async () => ({ found: named });
    const list = new PagedList(store, { search, make: (experiment) => new ExperimentRow(store, experiment) });
    await list.load();
    return [list, found];
  }
}
