// What the sidebar shows and when: MLflow's state, what is new, what a search has found.

import { Catalog } from "./experiments.js";
import { trans } from "./packages.js";
import { findRuns } from "./runs.js";
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
    this.catalog = new Catalog(store);
    this._isVisible = isVisible;
    /** MLflow has been ready: there is something to see. */
    this.hasLoaded = false;
    /** What a search has found: experiments, and what `Runs` shows. @type {{named: any[], runs: any} | undefined} */
    this.results = undefined;
    model.changed.connect(() => this._see());
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
    this.hasLoaded ||= this.isReady && this._isVisible();
    this.store.update();
  }

  /** Show what is new, without being asked. */
  async follow() {
    const { store, model } = this;
    const isShown = this._isVisible();
    if (store.pending || (!isShown && !running(store).length)) {
      return;
    }
    if (!isShown) await model.refresh(); // not looked at otherwise
    if (this.isReady && this.hasLoaded) {
      await store.attempt(() => watch(store), true);
      if (isShown) store.reload(true);
    }
    store.update(); // ages go on
  }

  /** Show what a text finds, or all experiments again without one. @param {string} text */
  search(text) {
    return this.store.attempt(async () => {
      const asked = (this._asked = text ? this._find(text) : undefined);
      const results = await asked; // what is shown stays if MLflow refuses
      if (asked === this._asked) this.results = results;
    });
  }

  /** @param {string} text */
  async _find(text) {
    const all = await this.catalog.all();
    const { words, filters } = parse(text);
    const [, name, quoted] = filters[0].match(/metrics\.(?:(\w+)|`([^`]+)`)/) ?? [];
    const sorting = byTime([name ?? quoted ?? ""]); // what is compared is shown
    const experiments = all.map(({ id }) => id);
    try {
      const first = await findRuns(this.store, experiments, filters, sorting);
      const isNamed = ({ name }) => words.every((word) => name.toLowerCase().includes(word.toLowerCase()));
      const named = words.length ? all.filter(isNamed).slice(0, MAX_NAMED) : [];
      return { named, runs: { experiments, filters, sorting, first, isSearch: true, key: text } };
    } catch (/** @type {any} */ error) {
      const [sentence] = error.message.split(/(?<=[.'"])\s|\n/);
      throw new Error(trans.__("MLflow refused this search: %1 Try e.g. %2", sentence, EXAMPLES[0]));
    }
  }
}
