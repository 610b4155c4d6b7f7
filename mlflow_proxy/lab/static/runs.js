// Lists of runs: an experiment's, a parent's, those that a search has found.

import { PagedList } from "./list.js";
import { RunRow } from "./run.js";
import { byTime, orderBy } from "./sorting.js";

const PAGE = 20;
const TRIES = 5; // runs that are looked at for a metric
const DAY = 86_400_000; // ms; a run whose start is further ahead does not hide those that start now

export class RunList extends PagedList {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {string[]} experiments their IDs
   * @param {{parent?: string, sorting?: () => import("./sorting.js").Sorting}} [options] `parent`: the ID of
   *   the run whose nested runs these are
   */
  constructor(actions, experiments, { parent, sorting } = {}) {
    super(actions, {
      none: actions.trans.__("No runs"),
      search: (token) => this._find(token),
      key: (run) => run.id,
      make: (run) => new RunRow(actions, run, () => this.sorting),
    });
    this.experiments = experiments;
    /** Filters in MLflow's language; a run that one of them finds is shown. */
    this.filters = parent ? [`tags.mlflow.parentRunId = '${parent}'`] : [""];
    this._isTop = !parent;
    this._newest = 0; // start of a run that was seen, in ms
    this._inherited = sorting;
    /** @type {import("./sorting.js").Sorting | undefined} */
    this._own = undefined;
    actions.watch.changed.connect((_, run) => {
      const item = this.items.get(run.id);
      item && (item.data = run) && this._update(item);
    });
  }

  get sorting() {
    return this._own ?? this._inherited?.() ?? byTime([]);
  }

  set sorting(sorting) {
    this._own = sorting;
  }

  async load() {
    await super.load();
    await this._complete([...this.items.values()]);
  }

  async _next() {
    const before = new Set(this.items.values());
    await super._next();
    await this._complete([...this.items.values()].filter((item) => !before.has(item)));
  }

  /** A search for runs that were started since those that are shown. */
  get newer() {
    const limit = Date.now() + DAY;
    const starts = [...this.items.values()].map(({ data }) => data.start).filter((start) => start < limit);
    this._newest = Math.max(0, this._newest, ...starts);
    const isNew = `attributes.start_time > ${this._newest} AND attributes.start_time < ${limit}`;
    const filter = [this.filters[0] || this.actions.api.isTop, isNew].filter(Boolean).join(" AND ");
    return { ...this._query(), filter };
  }

  /** Show what `newer` has found, and the values of runs that go on. @param {import("./api.js").Page} page */
  async follow({ found, token }) {
    if (token || (found.length && this.sorting.isChosen)) {
      await this.load();
      return;
    }
    const { watch } = this.actions;
    found.forEach((run) => watch.see(run));
    this._newest = Math.max(this._newest, ...found.map(({ start }) => start));
    this.merge(found.filter((run) => !this._isAll || !run.parent)); // nested ones are below their parents
    const isNew = ({ data }) => data.status === "RUNNING" || found.includes(data);
    await this._complete([...this.items.values()].filter(isNew));
  }

  /** Whether it has all runs of an experiment that have no parent. */
  get _isAll() {
    return this._isTop && !this.filters[0];
  }

  _query() {
    const { experiments: experimentIds, sorting } = this;
    return { experimentIds, maxResults: PAGE, orderBy: orderBy(sorting) };
  }

  async _find(pageToken) {
    const { api, watch } = this.actions;
    const search = { ...this._query(), pageToken };
    const searches = this.filters.map((filter) => ({ ...search, filter }));
    const pages = this._isAll ? [await api.topLevel(search)] : await api.runs(searches);
    const found = pages.flatMap((page) => page.found);
    if (pages.length > 1) found.sort((one, other) => other.start - one.start);
    found.forEach((run) => watch.see(run));
    if (!pageToken && this.sorting.isChosen) {
      this.sorting = { ...this.sorting, best: found[0]?.id };
    }
    return { found, token: pages.length === 1 ? pages[0].token : undefined };
  }

  /** The names of the metrics and parameters of the newest run that has metrics. @param {import("./api.js").Run[]} [runs] */
  async keys(runs) {
    const { api } = this.actions;
    const candidates = runs ?? (await api.runs([{ experimentIds: this.experiments, maxResults: TRIES }]))[0].found;
    /** @type {Record<"metrics"|"params", string[]>} */
    let found = { metrics: [], params: [] };
    for (const { id } of candidates.slice(0, TRIES)) {
      found = await api.keys(id);
      if (found.metrics.length) break;
    }
    return found;
  }

  /** Show what takes more requests, after the names of the runs. @param {any[]} rows */
  async _complete(rows) {
    const { api, parents } = this.actions;
    if (!rows.length) return;
    if (this._isAll && !this.sorting.kind) {
      this.sorting = byTime((await this.keys(rows.map(({ data }) => data))).metrics);
    }
    const runs = rows.map(({ data }) => data).filter(({ id }) => !parents.has(id));
    if (this._isAll || !this._isTop) {
      (await api.parents(runs)).forEach((id) => parents.add(id));
    }
    await this._showValues(rows);
    rows.forEach((row) => this._update(row));
  }

  async _showValues(rows) {
    const { key, kind } = this.sorting;
    if (!kind) return;
    const { api } = this.actions;
    const ids = rows.map(({ data }) => data.id);
    const values = kind === "params" ? await api.params(ids, key) : new Map();
    if (kind === "metrics") {
      const [points] = await api.histories([{ runIds: ids, metricKey: key }], 2);
      // The last of each run comes last.
      points.forEach(({ runId, value }) => values.set(runId, value));
    }
    for (const row of rows) {
      row.value = values.get(row.data.id);
    }
  }
}
