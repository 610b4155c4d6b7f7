// Experiments, those in use first, each with its latest traces and its runs.

import { element } from "./elements.js";
import { age } from "./format.js";
import { PagedList } from "./list.js";
import { Row } from "./row.js";
import { RunList } from "./runs.js";
import { chooseSorting } from "./sorting.js";
import { TraceList } from "./traces.js";

const FIRST = 300; // experiments whose use is looked up before the list is shown
const PAGE = 50;
const RUNS = 200; // of a search for their last runs
const ROUNDS = 4; // of such searches, after the first
const HOUR = 3_600_000; // ms

export class ExperimentList extends PagedList {
  /** @param {import("./actions.js").Actions} actions @param {string} [none] what it says when it is empty */
  constructor(actions, none = actions.trans.__("No experiments")) {
    super(actions, {
      none,
      search: (token) => this._page(token),
      key: (experiment) => experiment.experiment_id,
      make: (experiment) => new ExperimentRow(actions, experiment),
    });
    /** All that MLflow has told of, in their order. @type {any[]} */
    this._known = [];
    /** When they were used last, in ms, by their IDs. @type {Map<string, number>} */
    this.used = new Map();
    this._hasLoaded = false;
    /** IDs of those whose use was not looked up. @type {string[]} */
    this._others = [];
    this._changed = 0; // the last change of one, in ms
  }

  /** Show those in use first and reload what is open: at first what was open before, or the first one. */
  async load() {
    const { memory, attempt } = this.actions;
    await super.load();
    const open = this._open();
    await Promise.all(open.map((row) => attempt(() => row.list.load())));
    const rows = /** @type {ExperimentRow[]} */ ([...this.items.values()]);
    if (!this._hasLoaded) {
      this._hasLoaded = true;
      const kept = rows.filter(({ id }) => memory.open.has(id));
      await Promise.all((kept.length ? kept : rows.slice(0, 1)).map((row) => row.toggle(true)));
    }
    for (let round = 0; round < ROUNDS && this._others.length; round++) {
      await this._lookUp(this._others, false);
      this.show(this._sorted().slice(0, this.items.size), this._token);
    }
  }

  /** Add new experiments, and follow the runs of those that are open. */
  async follow() {
    const { api } = this.actions;
    const filter = `last_update_time > ${this._changed}`;
    const { found } = await api.experiments({ filter, max_results: PAGE });
    this._note(found);
    this.merge(found);
    const lists = this._open().flatMap(({ list }) => openLists(list.runs));
    if (lists.length) {
      const pages = await api.runs(lists.map((list) => list.newer), "data { tags { key value } }");
      await Promise.all(lists.map((list, index) => list.follow(pages[index])));
    }
  }

  /** All experiments, in the order of their use. */
  async all() {
    while (this._rest) {
      void this._lookUp(await this._load(1000)).catch(() => {});
    }
    return this._sorted();
  }

  /** @returns {any[]} rows */
  _open() {
    return [...this.items.values()].filter((row) => row.isOpen);
  }

  /** @param {string} [start] the place of the first one in the order */
  async _page(start = "0") {
    if (start === "0") {
      this._known = [];
      this._rest = undefined;
      await this._lookUp(await this._load(FIRST));
    }
    const end = Number(start) + PAGE;
    if (this._known.length < end && this._rest) {
      await this._lookUp(await this._load(1000));
    }
    const hasMore = this._known.length > end || this._rest;
    return { found: this._sorted().slice(Number(start), end), token: hasMore ? String(end) : undefined };
  }

  /** Load more of them. @param {number} max_results @returns {Promise<string[]>} their IDs */
  async _load(max_results) {
    const { api } = this.actions;
    const { found, token } = await api.experiments({ max_results, page_token: this._rest });
    this._rest = token;
    this._note(found);
    return found.map((each) => each.experiment_id);
  }

  /** Ask when these were used. @param {string[]} ids @param {boolean} [withTraces] */
  async _lookUp(ids, withTraces = true) {
    const { api } = this.actions;
    const [runs, traces] = await Promise.all([api.lastRuns(ids, RUNS), withTraces ? api.traces(ids, 10) : []]);
    this._use(traces.map((trace) => [trace.trace_location?.mlflow_experiment?.experiment_id, Date.parse(trace.request_time)]));
    this._use(runs);
    // The runs of a few experiments may be all that it found: the next search is for the others.
    const found = new Set(runs.map(([id]) => id));
    this._others = runs.length < RUNS ? [] : ids.filter((id) => !found.has(id));
  }

  /** Note when experiments were used. @param {[string, number][]} times in ms */
  _use(times) {
    for (const [id, time] of times) {
      if (time < Date.now() + HOUR) {
        this.used.set(id, Math.max(time, this.used.get(id) ?? 0));
      }
    }
  }

  _note(found) {
    const known = new Set(this._known.map((each) => each.experiment_id));
    this._known.push(...found.filter((each) => !known.has(each.experiment_id)));
    for (const { experiment_id, name, last_update_time } of found) {
      this.actions.names.set(experiment_id, name);
      this._changed = Math.max(this._changed, Math.min(Number(last_update_time), Date.now()));
    }
  }

  /** Those that were used before those that were not, the last changed first. */
  _sorted() {
    const use = ({ experiment_id }) => this.used.get(experiment_id) ?? 0;
    const change = ({ last_update_time }) => Number(last_update_time);
    return [...this._known].sort((one, other) => use(other) - use(one) || change(other) - change(one));
  }
}

/** The list and those of its open rows. @param {RunList} list @returns {RunList[]} */
export const openLists = (list) => [
  list,
  ...[...list.items.values()].flatMap((row) => (row.isOpen ? openLists(row.list) : [])),
];

/** What is below an experiment. */
class Contents {
  /** @param {import("./actions.js").Actions} actions @param {string} id */
  constructor(actions, id) {
    this.runs = new RunList(actions, [id]);
    this._traces = new TraceList(actions, id);
    this.node = element("div", {}, this._traces.node, this.runs.node);
  }

  async load() {
    await Promise.all([this._traces.load(), this.runs.load()]);
    this.node.classList.toggle("jp-mod-traced", this._traces.items.size > 0);
  }
}

export class ExperimentRow extends Row {
  /** @param {import("./actions.js").Actions} actions @param {any} experiment */
  constructor(actions, experiment) {
    const { trans, memory } = actions;
    const { filterListIcon, launchIcon } = actions.lab.ui;
    const id = experiment.experiment_id;
    const contents = new Contents(actions, id);
    const target = () => ({ kind: "experiment", id, name: this.data.name, row: this });
    super(actions, {
      kind: "experiment",
      list: /** @type {any} */ (contents),
      target,
      buttons: [
        [filterListIcon, trans.__("Sort runs"), () => actions.attempt(() => this.sort())],
        [launchIcon, trans.__("Open in the dashboard"), () => actions.openItem(target())],
      ],
    });
    this.id = id;
    this.data = experiment;
    this._runs = contents.runs;
    const sorting = memory.sortings.get(id);
    sorting && (this._runs.sorting = sorting);
  }

  async toggle(isOpen = !this.isOpen) {
    this._actions.memory.setOpen(this.id, isOpen);
    await super.toggle(isOpen);
    this.update(this.data);
  }

  /** Let the user choose how its runs are sorted. */
  async sort() {
    const { memory } = this._actions;
    const sorting = await chooseSorting(this._actions, await this._runs.keys());
    if (sorting) {
      this._runs.sorting = sorting;
      memory.setSorting(this.id, sorting);
      await (this.isOpen ? this._runs.load() : this.toggle(true));
      this.update(this.data);
    }
  }

  update({ name }) {
    const { key, isAscending, kind, isChosen } = this._runs.sorting;
    const arrow = isAscending ? "↑" : "↓";
    this.show({
      text: name,
      title: [name, kind && this._actions.trans.__("Shown: %1", key)].filter(Boolean).join("\n"),
      value: this.isOpen && kind ? (isChosen ? `${key} ${arrow}` : key) : "",
      age: age(this._actions.used(this.id)),
    });
  }
}
