// Experiments, those in use first, each with its latest traces and its runs.

import { age } from "./format.js";
import { h, trans } from "./packages.js";
import { usePages } from "./pages.js";
import { ExperimentRuns, keysOf, Runs, TRIES } from "./runs.js";
import { chooseSorting } from "./sorting.js";
import { Traces } from "./traces.js";
import { List } from "./tree.js";

const FIRST = 300; // experiments whose use is looked up before the list is shown
const MORE = 1000;
const RUNS = 200; // and traces, that are looked at for that
const TRACES = 10;
const PAGE = 50;

/** @typedef {import("./store.js").Store} Store */

/** All experiments that MLflow has told of, those in use first. */
export class Catalog {
  /** @param {Store} store */
  constructor(store) {
    this._store = store;
    /** @type {any[]} */
    this._known = [];
    /** @type {string | undefined} */
    this._rest = undefined;
    this._changed = 0; // the last change of one, in ms
  }

  /** A page of them; the first one is asked for anew. @param {string} [start] the place in the order */
  async page(start = "0") {
    const end = Number(start) + PAGE;
    if (start === "0") {
      this._known = [];
      this._rest = undefined;
      await this._learn(FIRST);
    }
    if (this._known.length < end && this._rest) {
      await this._learn(MORE);
    }
    return this._slice(Number(start), end);
  }

  /** The first page, with those on top that are new. */
  async newer() {
    const filter = `last_update_time > ${this._changed}`;
    const { found } = await this._store.api.experiments({ filter, max_results: PAGE });
    this._known = [...found.filter(({ id }) => !this._store.names.has(id)), ...this._known];
    this._note(found);
    return this._slice(0, PAGE);
  }

  async all() {
    while (this._rest) {
      await this._learn(MORE);
    }
    return this._known;
  }

  _slice(start, end) {
    const hasMore = this._known.length > end || this._rest;
    return { found: this._known.slice(start, end), token: hasMore ? String(end) : undefined };
  }

  /** Learn of more experiments, and when they were used. @param {number} max_results */
  async _learn(max_results) {
    const { api, used } = this._store;
    const { found, token } = await api.experiments({ max_results, page_token: this._rest });
    this._rest = token;
    this._note(found);
    const ids = found.map(({ id }) => id);
    const uses = await Promise.all([api.lastRuns(ids, RUNS), api.traces(ids, TRACES)]);
    this._store.use(uses.flat());
    const lastUse = ({ id }) => used.get(id) ?? 0;
    this._known = [...this._known, ...found].sort(
      (one, other) => lastUse(other) - lastUse(one) || other.changed - one.changed,
    );
  }

  _note(found) {
    for (const { id, name, changed } of found) {
      this._store.names.set(id, name);
      this._changed = Math.max(this._changed, Math.min(changed, Date.now()));
    }
  }
}

/** @param {{panel: import("./panel.js").Panel}} props */
export function Experiments({ panel: { store, catalog } }) {
  const search = async (token) => {
    const isFirst = !store.names.size;
    if (store.round.isQuiet && !token && !isFirst) return catalog.newer();
    if (isFirst) await store.restore();
    const page = await catalog.page(token);
    const rows = page.found.map(({ id }) => `experiment ${id}`);
    if (isFirst && rows.length && !rows.some((row) => store.open.has(row))) store.toggle(rows[0]);
    return page;
  };
  const pages = usePages(store, search, { isFollowed: true });
  return h(List, { store, pages, none: trans.__("No experiments"), row: (each) => experimentRow(store, each) });
}

/** What a search has found. @param {{panel: import("./panel.js").Panel}} props */
export function Results({ panel: { store, results } }) {
  const { named, runs } = results ?? { named: [], runs: {} };
  const pages = { found: named, isLoaded: true };
  return [
    h(List, { store, pages, row: (each) => experimentRow(store, each), key: "experiments" }),
    h(Runs, { store, ...runs }),
  ];
}

/** @param {Store} store */
function experimentRow(store, { id }) {
  const { key, isAscending, isChosen } = store.sorting(id);
  const value = isChosen ? `${key} ${isAscending ? "↑" : "↓"}` : key;
  const below = (depth) => [
    h(Traces, { store, experiment: id, depth, key: "traces" }),
    h(ExperimentRuns, { store, experiment: id, depth, key: "runs" }),
  ];
  const isOpen = store.open.has(`experiment ${id}`);
  return { kind: "experiment", text: String(store.names.get(id)), value: isOpen ? value : "", age: age(store.used.get(id) ?? 0), below };
}

/** Let the user choose how an experiment's runs are sorted. @param {Store} store @param {string} id */
export async function sortRuns(store, id) {
  const { found } = await store.api.runs({ experimentIds: [id], maxResults: TRIES });
  const chosen = await chooseSorting(await keysOf(store, found));
  if (chosen) {
    store.sort(id, chosen);
    store.toggle(`experiment ${id}`, true);
  }
}
