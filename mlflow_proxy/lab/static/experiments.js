// Experiments, those in use first, each with its latest traces and its runs.

import { element } from "./elements.js";
import { age, duration, statusText } from "./format.js";
import { PagedList } from "./list.js";
import { Row } from "./row.js";
import { RunList } from "./runs.js";
import { chooseSorting } from "./sorting.js";

const FIRST = 300; // experiments whose use is looked up before the list is shown
const RUNS = 200; // that are looked at for that
const PAGE = 50;
const TRACES = 5; // of an experiment
const HOUR = 3_600_000; // ms
const KEPT = "jupyter-mlflow-proxy:sidebar"; // what is open and how it is sorted, over a reload

export class ExperimentList extends PagedList {
  /** @param {import("./actions.js").Actions} actions @param {string} [none] what it says when it is empty */
  constructor(actions, none = actions.trans.__("No experiments")) {
    super(actions, {
      none,
      search: (token) => this._page(token),
      make: (experiment) => new ExperimentRow(actions, experiment.id, () => this._keep()),
    });
    /** All that MLflow has told of. @type {any[]} */
    this._known = [];
    this._changed = 0; // the last change of one, in ms
  }

  /** Show those in use first and reload what is open: at first what was open before, or the first one. */
  async load() {
    const { attempt, database } = this.actions;
    const isFirst = !this._known.length;
    const { open = [], sortings = {} } = (isFirst && (await database?.fetch(KEPT))) || {};
    await super.load();
    await Promise.all(this._open.map((row) => attempt(() => row.list.load())));
    if (isFirst) {
      const rows = /** @type {ExperimentRow[]} */ ([...this.items.values()]);
      rows.forEach((row) => row.sortBy(sortings[row.data.id]));
      const kept = rows.filter(({ data }) => open.includes(data.id));
      await Promise.all((kept.length ? kept : rows.slice(0, 1)).map((row) => row.toggle(true)));
    }
  }

  /** Add new experiments, and follow the runs of those that are open. */
  async follow() {
    const { api } = this.actions;
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

  /** @returns {ExperimentRow[]} */
  get _open() {
    return /** @type {any[]} */ ([...this.items.values()]).filter((row) => row.isOpen);
  }

  _keep() {
    const rows = /** @type {ExperimentRow[]} */ ([...this.items.values()]);
    const chosen = rows.filter((row) => row.runs.sorting.isChosen);
    const sortings = Object.fromEntries(chosen.map((row) => [row.data.id, row.runs.sorting]));
    void this.actions.database?.save(KEPT, { open: this._open.map(({ data }) => data.id), sortings });
  }

  /** @param {string} [start] the place of the first one in the order */
  async _page(start = "0") {
    if (start === "0") {
      this._known = [];
      this._rest = undefined;
      await this._learn(FIRST);
    }
    const end = Number(start) + PAGE;
    if (this._known.length < end && this._rest) {
      await this._learn(1000);
    }
    const hasMore = this._known.length > end || this._rest;
    return { found: this._sorted.slice(Number(start), end), token: hasMore ? String(end) : undefined };
  }

  /** Learn of more experiments, and when they were used. @param {number} max_results */
  async _learn(max_results) {
    const { api, used } = this.actions;
    const { found, token } = await api.experiments({ max_results, page_token: this._rest });
    this._rest = token;
    this._note(found);
    const ids = found.map(({ id }) => id);
    const [runs, traces] = await Promise.all([api.lastRuns(ids, RUNS), api.traces(ids, 2 * TRACES)]);
    for (const { experiment, start } of [...runs, ...traces]) {
      if (start < Date.now() + HOUR) {
        used.set(experiment, Math.max(start, used.get(experiment) ?? 0));
      }
    }
  }

  _note(found) {
    const known = new Set(this._known.map(({ id }) => id));
    this._known.push(...found.filter(({ id }) => !known.has(id)));
    for (const { id, name, changed } of found) {
      this.actions.names.set(id, name);
      this._changed = Math.max(this._changed, Math.min(changed, Date.now()));
    }
  }

  /** Those that were used before those that were not, the last changed first. */
  get _sorted() {
    const use = ({ id }) => this.actions.used.get(id) ?? 0;
    return [...this._known].sort((one, other) => use(other) - use(one) || other.changed - one.changed);
  }
}

class ExperimentRow extends Row {
  /** @param {import("./actions.js").Actions} actions @param {string} id @param {() => void} keep its state */
  constructor(actions, id, keep) {
    const runs = new RunList(actions, [id]);
    const traces = traceList(actions, id);
    const node = element("div", {}, traces.node, runs.node);
    const load = async () => {
      await Promise.all([traces.load(), runs.load()]);
      node.classList.toggle("jp-mod-traced", traces.items.size > 0);
    };
    const describe = ({ name }) => {
      const { key, isAscending, isChosen } = runs.sorting;
      const value = isChosen ? `${key} ${isAscending ? "↑" : "↓"}` : key;
      return { text: name, value: this.isOpen ? value : "", age: age(actions.used.get(id) ?? 0) };
    };
    super(actions, { kind: "experiment", describe, list: { node, load } });
    this.runs = runs;
    this._keep = keep;
  }

  async toggle(isOpen = !this.isOpen) {
    await super.toggle(isOpen);
    this._keep();
  }

  /** @param {import("./sorting.js").Sorting | undefined} sorting */
  sortBy(sorting) {
    if (sorting) this.runs.sorting = sorting;
  }

  /** Let the user choose how its runs are sorted. */
  async sort() {
    this.sortBy(await chooseSorting(this._actions, await this.runs.keys()));
    await (this.isOpen ? this.runs.load() : this.toggle(true));
    this.update(this.data);
    this._keep();
  }
}

/** The latest traces, and one row for the others. @param {import("./actions.js").Actions} actions */
function traceList(actions, experiment) {
  const { trans } = actions;
  const describe = ({ id, name, state, took, start, preview }) => {
    const label = [trans.__("Trace %1", name), statusText(state, trans), duration(took), age(start)].join(", ");
    const status = { OK: "FINISHED", ERROR: "FAILED", IN_PROGRESS: "RUNNING" }[state] ?? state;
    const shown = { text: name, label, title: `${label}\n${preview}`, value: duration(took), age: age(start), status };
    return id ? shown : { text: trans.__("All traces") };
  };
  return new PagedList(actions, {
    none: "",
    search: async () => {
      const found = await actions.api.traces([experiment], TRACES + 1);
      return { found: found.length > TRACES ? [...found.slice(0, TRACES), { id: "", experiment }] : found };
    },
    make: () => {
      const state = element("span", { className: "jp-mlflow-state" });
      const lead = [element("span", { className: "jp-mlflow-lead" }, state)];
      const row = new Row(actions, { kind: "trace", describe, lead, activate: () => actions.openItem(row.target) });
      return row;
    },
  });
}
