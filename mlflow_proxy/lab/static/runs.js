// Lists of runs: an experiment's, a parent's, those that a search has found.

import { age, number, statusText } from "./format.js";
import { h, lab, trans } from "./packages.js";
import { usePages } from "./pages.js";
import { byTime, orderBy } from "./sorting.js";
import { List } from "./tree.js";

const PAGE = 20;
const TRIES = 5; // runs that are looked at for a metric

/** @typedef {import("./store.js").Store} Store @typedef {import("./api.js").Run} Run
 * @typedef {import("./sorting.js").Sorting} Sorting
 */

/**
 * Search runs, and note what is found.
 *
 * @param {Store} store
 * @param {string[]} experiments their IDs
 * @param {string[]} filters in MLflow's language; a run that one of them finds is found; none: all without a parent
 * @param {Sorting} sorting
 * @param {string} [pageToken]
 * @returns {Promise<import("./api.js").Page>}
 */
export async function findRuns(store, experiments, filters, sorting, pageToken) {
  const { api } = store;
  const search = { experimentIds: experiments, maxResults: PAGE, orderBy: orderBy(sorting), pageToken };
  const searches = filters.map((filter) => api.runs({ ...search, filter }));
  const pages = searches.length ? await Promise.all(searches) : [await api.topLevel(search)];
  const found = pages.flatMap((page) => page.found);
  if (pages.length > 1) found.sort((one, other) => other.start - one.start);
  store.note(found);
  return { found, token: pages.length > 1 ? undefined : pages[0].token };
}

/**
 * @param {{store: Store, experiments: string[], filters: string[], sorting: Sorting, isSearch?: boolean,
 *   first?: import("./api.js").Page, depth?: number}} props see `findRuns`; `isSearch`: nested runs, too
 */
export function Runs({ store, experiments, filters, sorting, isSearch = false, first, depth }) {
  const { useEffect, useRef, useState } = lab.react;
  const search = (token) => findRuns(store, experiments, filters, sorting, token);
  const pages = usePages(store, search, { isFollowed: true, first });
  const [values, setValues] = useState(new Map());
  const ended = useRef(new Set()).current; // runs whose values are the last ones
  useEffect(() => {
    store.round.isQuiet || ended.clear();
    const runs = pages.found.filter(({ id }) => !ended.has(id));
    const load = async () => {
      const found = await complete(store, runs, sorting, isSearch);
      setValues((shown) => new Map([...shown, ...found]));
      runs.filter(({ status }) => status !== "RUNNING").forEach(({ id }) => ended.add(id));
    };
    runs.length && void store.attempt(load, true); // the runs are shown anyhow
  }, [pages.found]);
  const row = ({ id }) => {
    const isBest = sorting.isChosen && id === pages.found[0].id;
    const below = (below) => h(NestedRuns, { store, run: store.runs.get(id), depth: below });
    const isParent = !isSearch && store.parents.has(id);
    return { ...runRow(store, id, sorting.key, values.get(id), isBest), below: isParent && below };
  };
  return h(List, { store, pages, none: trans.__("No runs"), depth, row });
}

/** @param {{store: Store, experiment: string, depth: number}} props */
export function ExperimentRuns({ store, experiment, depth }) {
  const sorting = store.sorting(experiment);
  const key = orderBy(sorting)[0]; // another order is another list
  return h(Runs, { store, experiments: [experiment], filters: [], sorting, depth, key });
}

function NestedRuns({ store, run: { id, experiment }, depth }) {
  const sorting = store.sorting(experiment);
  const filters = [`tags.mlflow.parentRunId = '${id}'`];
  return h(Runs, { store, experiments: [experiment], filters, sorting, depth, key: orderBy(sorting)[0] });
}

/** What takes more requests than the names of the runs. @returns {Promise<Map<string, any>>} values by their IDs */
async function complete(store, runs, sorting, isSearch) {
  const { api, parents } = store;
  let shown = sorting;
  if (!isSearch && !sorting.key) {
    shown = byTime((await keysOf(store, runs)).metrics);
    store.sortings.set(runs[0].experiment, shown);
  }
  if (!isSearch) {
    (await api.parents(runs.filter(({ id }) => !parents.has(id)))).forEach((id) => parents.add(id));
  }
  return api.values(runs.map(({ id }) => id), shown);
}

/** The names of the metrics and parameters of the first run that has metrics. @param {Store} store @param {Run[]} runs */
export async function keysOf({ api }, runs) {
  /** @type {Record<"metrics"|"params", string[]>} */
  let found = { metrics: [], params: [] };
  for (const { id } of runs.slice(0, TRIES)) {
    found = await api.keys(id);
    if (found.metrics.length) break;
  }
  return found;
}

function runRow(store, id, key, shown, isBest) {
  const { name, status, start } = store.runs.get(id);
  const value = shown === undefined ? "" : number(shown);
  const state = statusText(status);
  const facts = [name, state, value && `${key} ${value}`, isBest && trans.__("best"), age(start)].filter(Boolean);
  const tick = () => store.tick(id);
  const box = {
    type: "checkbox",
    tabIndex: -1,
    "aria-label": trans.__("Select %1", name),
    checked: store.ticked.has(id),
    onChange: tick,
    onClick: (event) => event.stopPropagation(),
  };
  return {
    kind: "run",
    text: name,
    label: facts.join(", "),
    title: facts.join("\n"),
    value,
    age: age(start),
    status,
    isBest,
    isSelected: store.shownRun === id,
    lead: h("span", { className: "jp-mlflow-lead" }, stateIcon(state), h("input", box)),
    activate: () => store.showRun(id),
    tick,
  };
}

/** @param {string} label */
export const stateIcon = (label) => h("span", { className: "jp-mlflow-state", role: "img", "aria-label": label });
