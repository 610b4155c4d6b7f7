// Experiments, those in use first, each with its latest traces and its runs.

import { age } from "./format.js";
import { PagedList, Row } from "./list.js";
import { trans } from "./packages.js";
import { RunList } from "./runs.js";
import { chooseSorting } from "./sorting.js";
import { TraceList } from "./traces.js";

const FIRST = 300; // experiments whose use is looked up before the list is shown
const RUNS = 200; // and traces, that are looked at for that
const TRACES = 10;
const PAGE = 50;
const KEPT = "jupyter-mlflow-proxy:sidebar"; // what is open and how it is sorted, over a reload

export class ExperimentList extends PagedList {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    super(store, {
      none: trans.__("No experiments"),
      search: (token) => this._page(token),
      make: (experiment) => new ExperimentRow(store, experiment, () => this._keep()),
    });
    /** All that MLflow has told of, by their IDs. @type {Map<string, any>} */
    this._known = new Map();
    this._changed = 0; // the last change of one, in ms
  }

  /** Show those in use first and reload what is open: at first what was open before, or the first one. */
  async load() {
    const { attempt, database } = this.store;
    const isFirst = !this.isLoaded;
    const { open = [], sortings = {} } = (isFirst && (await database?.fetch(KEPT))) || {};
    await super.load();
    await Promise.all(this._open.map((row) => attempt(() => row.runs.load())));
    if (isFirst) {
      const rows = this._rows;
      rows.forEach((row) => sortings[row.data.id] && (row.runs.sorting = sortings[row.data.id]));
      const kept = rows.filter(({ data }) => open.includes(data.id));
      await Promise.all((kept.length ? kept : rows.slice(0, 1)).map((row) => row.toggle(true)));
    }
  }

  /** Add new experiments, and follow the runs of those that are open. */
  async follow() {
    const { api } = this.store;
    const { found } = await api.experiments({ filter: `last_update_time > ${this._changed}`, max_results: PAGE });
    this._note(found);
    this.merge(found);
    const lists = this._open.flatMap((row) => row.runs.open);
    if (lists.length) {
      const pages = await api.runs(lists.map((list) => list.newer), "data { tags { key value } }");
      await Promise.all(lists.map((list, index) => list.follow(pages[index])));
    }
  }

  /** All experiments, in the order of their use. */
  async all() {
    while (this._rest) {
      await this._learn(1000);
    }
    return this._sorted;
  }

  get _rows() {
    return /** @type {ExperimentRow[]} */ (this.rows);
  }

  get _open() {
    return this._rows.filter(({ isOpen }) => isOpen);
  }

  _keep() {
    const chosen = this._rows.filter(({ runs }) => runs.sorting.isChosen);
    const sortings = Object.fromEntries(chosen.map(({ data, runs }) => [data.id, runs.sorting]));
    void this.store.database?.save(KEPT, { open: this._open.map(({ data }) => data.id), sortings });
  }

  /** @param {string} [start] the place of the first one in the order */
  async _page(start = "0") {
    if (start === "0") {
      this._known.clear();
      this._rest = undefined;
      await this._learn(FIRST);
    }
    const end = Number(start) + PAGE;
    if (this._known.size < end && this._rest) {
      await this._learn(1000);
    }
    const hasMore = this._known.size > end || this._rest;
    return { found: this._sorted.slice(Number(start), end), token: hasMore ? String(end) : undefined };
  }

  /** Learn of more experiments, and when they were used. @param {number} max_results */
  async _learn(max_results) {
    const { api } = this.store;
    const { found, token } = await api.experiments({ max_results, page_token: this._rest });
    this._rest = token;
    this._note(found);
    const ids = found.map(({ id }) => id);
    const uses = await Promise.all([api.lastRuns(ids, RUNS), api.traces(ids, TRACES)]);
    this.store.use(uses.flat());
  }

  _note(found) {
    for (const experiment of found) {
      this._known.set(experiment.id, experiment);
      this.store.names.set(experiment.id, experiment.name);
      this._changed = Math.max(this._changed, Math.min(experiment.changed, Date.now()));
    }
  }

  /** Those that were used before those that were not, the last changed first. */
  get _sorted() {
    const use = ({ id }) => this.store.used.get(id) ?? 0;
    return [...this._known.values()].sort((one, other) => use(other) - use(one) || other.changed - one.changed);
  }
}

export class ExperimentRow extends Row {
  kind = "experiment";

  /** @param {import("./store.js").Store} store @param {any} experiment @param {() => void} [keep] its state */
  constructor(store, experiment, keep = () => {}) {
    super(store, experiment);
    this.runs = new RunList(store, [experiment.id]);
    this.lists = [new TraceList(store, experiment.id), this.runs];
    this._keep = keep;
  }

  get shown() {
    const { id, name } = this.data;
    const { key, isAscending, isChosen } = this.runs.sorting;
    const value = isChosen ? `${key} ${isAscending ? "↑" : "↓"}` : key;
    return { text: name, value: this.isOpen ? value : "", age: age(this.store.used.get(id) ?? 0) };
  }

  async toggle(isOpen = !this.isOpen) {
    await super.toggle(isOpen);
    this._keep();
  }

  /** Let the user choose how its runs are sorted. */
  async sort() {
    this.runs.sorting = (await chooseSorting(await this.runs.keys())) ?? this.runs.sorting;
    await (this.isOpen ? this.runs.load() : this.toggle(true));
    this._keep();
  }
}
