// Lists of runs: an experiment's, a parent's, those that a search has found.

import { age, number, statusText } from "./format.js";
import { PagedList, Row } from "./list.js";
import { h, trans } from "./packages.js";
import { byTime, orderBy } from "./sorting.js";

const PAGE = 20;
const TRIES = 5; // runs that are looked at for a metric
const DAY = 86_400_000; // ms; a run whose start is further ahead does not hide those that start now

export class RunList extends PagedList {
  /**
   * @param {import("./store.js").Store} store
   * @param {string[]} experiments their IDs
   * @param {RunRow} [parent] the run whose nested runs these are
   */
  constructor(store, experiments, parent) {
    const none = trans.__("No runs");
    super(store, { none, search: (token) => this._find(token), make: (run) => new RunRow(store, run, this) });
    this.experiments = experiments;
    this.parent = parent;
    /** Filters in MLflow's language; a run that one of them finds is shown. None: all that have no parent. */
    this.filters = parent ? [`tags.mlflow.parentRunId = '${parent.data.id}'`] : [];
    /** Of the metric or parameter that the runs show, by their IDs. @type {Map<string, any>} */
    this.values = new Map();
    /** The ID of the first run, where they are sorted by a value. */
    this.best = "";
    this._newest = 0; // start of a run that was seen, in ms
    /** @type {import("./sorting.js").Sorting | undefined} */
    this._sorting = undefined;
  }

  get sorting() {
    return this._sorting ?? this.parent?.owner.sorting ?? byTime([]);
  }

  set sorting(sorting) {
    this._sorting = sorting;
    this.values.clear();
  }

  async load() {
    await super.load();
    await this._complete(this._rows);
  }

  async more() {
    const before = new Set(this.rows);
    await super.more();
    await this._complete(this._rows.filter((row) => !before.has(row)));
  }

  /** The list and those of its open rows. @returns {RunList[]} */
  get open() {
    return [this, ...this._rows.filter(({ isOpen }) => isOpen).flatMap(({ below }) => below.open)];
  }

  /** A search for runs that were started since those that are shown. */
  get newer() {
    const limit = Date.now() + DAY;
    const starts = this.rows.map(({ data }) => data.start).filter((start) => start < limit);
    this._newest = Math.max(this._newest, ...starts);
    const isNew = `attributes.start_time > ${this._newest} AND attributes.start_time < ${limit}`;
    const filter = [this.filters[0] ?? this.store.api.isTop, isNew].filter(Boolean).join(" AND ");
    return { ...this._query, filter };
  }

  /** Show what `newer` has found, and the values of runs that go on. @param {import("./api.js").Page} page */
  async follow({ found, token }) {
    if (token || (found.length && this.sorting.isChosen)) {
      await this.load();
      return;
    }
    this.store.note(found);
    this._newest = Math.max(this._newest, ...found.map(({ start }) => start));
    this.merge(found.filter((run) => this.filters.length || !run.parent)); // nested ones are below their parents
    await this._complete(this._rows.filter(({ isComplete }) => !isComplete));
  }

  get _rows() {
    return /** @type {RunRow[]} */ (this.rows);
  }

  get _query() {
    return { experimentIds: this.experiments, maxResults: PAGE, orderBy: orderBy(this.sorting) };
  }

  async _find(pageToken) {
    const { api } = this.store;
    const search = { ...this._query, pageToken };
    const searches = this.filters.map((filter) => ({ ...search, filter }));
    const pages = searches.length ? await api.runs(searches) : [await api.topLevel(search)];
    const found = pages.flatMap((page) => page.found);
    if (pages.length > 1) found.sort((one, other) => other.start - one.start);
    this.store.note(found);
    if (!pageToken) this.best = this.sorting.isChosen ? found[0]?.id : "";
    return { found, token: pages.length > 1 ? undefined : pages[0].token };
  }

  /** The names of the metrics and parameters of the first run that has metrics. @param {any[]} [runs] */
  async keys(runs) {
    const { api } = this.store;
    const candidates = runs ?? (await api.runs([{ experimentIds: this.experiments, maxResults: TRIES }]))[0].found;
    /** @type {Record<"metrics"|"params", string[]>} */
    let found = { metrics: [], params: [] };
    for (const { id } of candidates.slice(0, TRIES)) {
      found = await api.keys(id);
      if (found.metrics.length) break;
    }
    return found;
  }

  /** Show what takes more requests, after the names of the runs. @param {RunRow[]} rows */
  async _complete(rows) {
    const { api, parents } = this.store;
    const runs = rows.map(({ data }) => data);
    const ended = rows.filter(({ data }) => data.status !== "RUNNING");
    if (!rows.length) return;
    if (!this.filters.length && !this.sorting.key) {
      this.sorting = byTime((await this.keys(runs)).metrics);
    }
    if (!this.filters.length || this.parent) {
      (await api.parents(runs.filter(({ id }) => !parents.has(id)))).forEach((id) => parents.add(id));
    }
    const values = await api.values(runs.map(({ id }) => id), this.sorting);
    values.forEach((value, id) => this.values.set(id, value));
    ended.forEach((row) => (row.isComplete = true));
    this.store.update();
  }
}

class RunRow extends Row {
  kind = "run";
  isComplete = false; // its value is the last one

  /** @param {import("./store.js").Store} store @param {any} run @param {RunList} owner the list that shows it */
  constructor(store, run, owner) {
    super(store, run);
    this.owner = owner;
    this.below = new RunList(store, [run.experiment], this);
    this.lists = [this.below];
  }

  get shown() {
    const { store, owner } = this;
    const { id } = this.data;
    const { name, status, start } = store.runs.get(id) ?? this.data;
    const value = owner.values.has(id) ? number(owner.values.get(id)) : "";
    const isBest = owner.best === id && Boolean(value);
    const state = statusText(status);
    const facts = [name, state, value && `${owner.sorting.key} ${value}`, isBest && trans.__("best"), age(start)].filter(Boolean);
    const box = {
      type: "checkbox",
      tabIndex: -1,
      "aria-label": trans.__("Select %1", name),
      checked: store.ticked.has(id),
      onChange: () => this.tick(),
      onClick: (event) => event.stopPropagation(),
    };
    return {
      text: name,
      label: facts.join(", "),
      title: facts.join("\n"),
      value,
      age: age(start),
      status,
      isBest,
      isSelected: store.shownRun === id,
      lead: h("span", { className: "jp-mlflow-lead" }, stateIcon(state), h("input", box)),
    };
  }

  get canOpen() {
    return this.store.parents.has(this.data.id);
  }

  activate() {
    return this.store.showRun(this.data.id);
  }

  tick() {
    this.store.tick(this.data.id);
  }
}

/** @param {string} label */
export const stateIcon = (label) => h("span", { className: "jp-mlflow-state", role: "img", "aria-label": label });
