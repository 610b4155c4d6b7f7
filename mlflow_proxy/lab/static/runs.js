// Lists of runs: an experiment's, a parent's, those that a search has found.

import { element } from "./elements.js";
import { age, number, statusText } from "./format.js";
import { PagedList } from "./list.js";
import { Row } from "./row.js";
import { byTime, orderBy } from "./sorting.js";

const PAGE = 20;
const TRIES = 5; // runs that are looked at for a metric
const DAY = 86_400_000; // ms; a run whose start is further ahead does not hide those that start now

export class RunList extends PagedList {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {string[]} experiments their IDs
   * @param {{id: string, list: RunList}} [parent] the run whose nested runs these are, and the list that has it
   */
  constructor(actions, experiments, parent) {
    super(actions, {
      none: actions.trans.__("No runs"),
      search: (token) => this._find(token),
      make: (run) => runRow(actions, run, this),
    });
    this.experiments = experiments;
    this.parent = parent;
    /** Filters in MLflow's language; a run that one of them finds is shown. None: all that have no parent. */
    this.filters = parent ? [`tags.mlflow.parentRunId = '${parent.id}'`] : [];
    this._newest = 0; // start of a run that was seen, in ms
    /** @type {import("./sorting.js").Sorting | undefined} */
    this._sorting = undefined;
    actions.watch.changed.connect((_, run) => this.items.get(run.id)?.update(run));
  }

  get sorting() {
    return this._sorting ?? this.parent?.list.sorting ?? byTime([]);
  }

  set sorting(sorting) {
    this._sorting = sorting;
  }

  async load() {
    await super.load();
    await this._complete([...this.items.values()]);
  }

  async _next() {
    const before = new Set(this.items.values());
    await super._next();
    await this._complete([...this.items.values()].filter((row) => !before.has(row)));
  }

  /** The list and those of its open rows. @returns {RunList[]} */
  get open() {
    return [this, ...[...this.items.values()].flatMap((row) => (row.isOpen ? row.list.open : []))];
  }

  /** A search for runs that were started since those that are shown. */
  get newer() {
    const limit = Date.now() + DAY;
    const starts = [...this.items.values()].map(({ data }) => data.start).filter((start) => start < limit);
    this._newest = Math.max(this._newest, ...starts);
    const isNew = `attributes.start_time > ${this._newest} AND attributes.start_time < ${limit}`;
    const filter = [this.filters[0] ?? this.actions.api.isTop, isNew].filter(Boolean).join(" AND ");
    return { ...this._query, filter };
  }

  /** Show what `newer` has found, and the values of runs that go on. @param {import("./api.js").Page} page */
  async follow({ found, token }) {
    if (token || (found.length && this.sorting.isChosen)) {
      await this.load();
      return;
    }
    found.forEach((run) => this.actions.watch.see(run));
    this._newest = Math.max(this._newest, ...found.map(({ start }) => start));
    this.merge(found.filter((run) => this.filters.length || !run.parent)); // nested ones are below their parents
    const isNew = ({ data }) => data.status === "RUNNING" || found.includes(data);
    await this._complete([...this.items.values()].filter(isNew));
  }

  get _query() {
    return { experimentIds: this.experiments, maxResults: PAGE, orderBy: orderBy(this.sorting) };
  }

  async _find(pageToken) {
    const { api, watch } = this.actions;
    const search = { ...this._query, pageToken };
    const searches = this.filters.map((filter) => ({ ...search, filter }));
    const pages = searches.length ? await api.runs(searches) : [await api.topLevel(search)];
    const found = pages.flatMap((page) => page.found);
    if (pages.length > 1) found.sort((one, other) => other.start - one.start);
    found.forEach((run) => watch.see(run));
    if (!pageToken && this.sorting.isChosen) {
      this.sorting = { ...this.sorting, best: found[0]?.id };
    }
    return { found, token: pages.length > 1 ? undefined : pages[0].token };
  }

  /** The names of the metrics and parameters of the first run that has metrics. @param {any[]} [runs] */
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

  /** Show what takes more requests, after the names of the runs. @param {Row[]} rows */
  async _complete(rows) {
    const { api, parents } = this.actions;
    const runs = rows.map(({ data }) => data);
    if (!rows.length) return;
    if (!this.filters.length && !this.sorting.key) {
      this.sorting = byTime((await this.keys(runs)).metrics);
    }
    if (!this.filters.length || this.parent) {
      (await api.parents(runs.filter(({ id }) => !parents.has(id)))).forEach((id) => parents.add(id));
    }
    const values = await api.values(runs.map(({ id }) => id), this.sorting);
    rows.forEach((row) => row.update({ ...row.data, value: values.get(row.data.id) }));
  }
}

/** @param {import("./actions.js").Actions} actions @param {import("./api.js").Run} run @param {RunList} list */
function runRow(actions, run, list) {
  const { trans, ticked } = actions;
  const box = element("input", { type: "checkbox", tabIndex: -1, onclick: (event) => event.stopPropagation() });
  const state = element("span", { className: "jp-mlflow-state", role: "img" });
  /** @returns {import("./row.js").Shown} */
  const describe = ({ id, name, status, start, value }) => {
    const { key, best } = list.sorting;
    const shown = value === undefined ? "" : number(value);
    state.ariaLabel = statusText(status, trans);
    box.ariaLabel = trans.__("Select %1", name);
    box.checked = ticked.has(id);
    const isBest = best === id && Boolean(shown);
    const facts = [name, state.ariaLabel, shown && `${key} ${shown}`, isBest && trans.__("best"), age(start)];
    return {
      text: name,
      label: facts.filter(Boolean).join(", "),
      title: facts.filter(Boolean).join("\n"),
      value: shown,
      age: age(start),
      status,
      isBest,
      isSelected: actions.shownRun === id,
      isLeaf: !actions.parents.has(id),
    };
  };
  const row = new Row(actions, {
    kind: "run",
    describe,
    list: new RunList(actions, [run.experiment], { id: run.id, list }),
    lead: [element("span", { className: "jp-mlflow-lead" }, state, box)],
    activate: () => actions.showRun(run.id),
    tick: () => ticked.set(row.data, !ticked.has(run.id)),
  });
  box.onchange = () => ticked.set(row.data, box.checked);
  actions.changed.connect(() => row.update(row.data));
  return row;
}
