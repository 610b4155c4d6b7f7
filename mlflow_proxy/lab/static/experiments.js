// Experiments, those in use first, each with its latest traces and its runs.

import { openItem } from "./actions.js";
import { age, duration, statusText } from "./format.js";
import { h, trans } from "./packages.js";
import { unique, usePages } from "./pages.js";
import { keysOf, RunsOf, stateIcon } from "./runs.js";
import { chooseSorting } from "./sorting.js";
import { List } from "./tree.js";

const FIRST = 300; // experiments whose use is looked up before the list is shown
const MORE = 1000; // at a time, when the others are needed
const USES = 200; // runs that are looked at for that, and
const MAX_TRACES = 10;
const TRACES = 5; // of an experiment that are shown
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
  async page(start) {
    if (!start) {
      this._known = [];
      this._rest = undefined;
      await this._learn();
    } else if (this._known.length < Number(start) + PAGE && this._rest) {
      await this._learn();
    }
    return this._slice(Number(start ?? 0));
  }

  /** The first page, with those on top that are new. */
  async newer() {
    const filter = `last_update_time > ${this._changed}`;
    const { found } = await this._store.api.experiments({ filter, max_results: PAGE });
    this._known = [...found.filter(({ id }) => !this._store.names.has(id)), ...this._known];
    this._note(found);
    return this._slice(0);
  }

  async all() {
    while (this._rest) {
      await this._learn();
    }
    return this._known;
  }

  _slice(start) {
    const end = start + PAGE;
    const hasMore = this._known.length > end || this._rest;
    return { found: this._known.slice(start, end), token: hasMore ? String(end) : undefined };
  }

  /** Learn of more experiments, and when they were used. */
  async _learn() {
    const { api, used } = this._store;
    const max_results = this._rest ? MORE : FIRST;
    const { found, token } = await api.experiments({ max_results, page_token: this._rest });
    this._rest = token;
    this._note(found);
    const ids = found.map(({ id }) => id);
    const search = { experimentIds: ids, maxResults: USES };
    const latest = ids.length ? api.runs(search, "info { experimentId startTime }") : { found: [] };
    const [runs, traces] = await Promise.all([latest, api.traces(ids, MAX_TRACES)]);
    this._store.use([...runs.found, ...traces]);
    const lastUse = ({ id }) => used.get(id) ?? 0;
    this._known = unique([...this._known, ...found]).sort(
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

/** @param {{store: Store}} props */
export function Experiments({ store }) {
  const { catalog } = store;
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

/** @param {Store} store */
export function experimentRow(store, { id }) {
  const { key, isAscending, isChosen } = store.sorting(id);
  const value = isChosen ? `${key} ${isAscending ? "↑" : "↓"}` : key;
  const below = (depth) => [
    h(Traces, { store, experiment: id, depth, key: "traces" }),
    h(RunsOf, { store, experiment: id, depth, key: "runs" }),
  ];
  const isOpen = store.open.has(`experiment ${id}`);
  const shown = { text: store.names.get(id), value: isOpen ? value : "", age: age(store.used.get(id) ?? 0) };
  return { kind: "experiment", ...shown, below };
}

/** The latest traces of an experiment, and one row for the others. */
function Traces({ store, experiment, depth }) {
  const pages = usePages(store, async () => {
    const found = await store.api.traces([experiment], TRACES + 1);
    return { found: found.length > TRACES ? [...found.slice(0, TRACES), { id: "", experiment }] : found };
  });
  const row = (trace) => {
    const { id, name, status, took, start, preview } = trace;
    const facts = [trans.__("Trace %1", name), statusText(status), duration(took), age(start), preview];
    const activate = () => openItem(store, { ...trace, kind: "trace" });
    const shown = { text: name, facts, value: duration(took), age: age(start), status };
    const lead = h("span", { className: "jp-mlflow-lead" }, stateIcon(statusText(status)));
    return { kind: "trace", activate, ...(id ? { ...shown, lead } : { text: trans.__("All traces") }) };
  };
  return h(List, { store, pages, depth, row });
}

/** Let the user choose how an experiment's runs are sorted. @param {Store} store @param {string} id */
export async function sortRuns(store, id) {
  const { found } = await store.api.runs({ experimentIds: [id], maxResults: 5 });
  const chosen = await chooseSorting(await keysOf(store.api, found));
  if (chosen) {
    store.sortings.set(id, chosen);
    store.toggle(`experiment ${id}`, true);
  }
}
