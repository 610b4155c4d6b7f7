// Lists of runs: an experiment's, a parent's, those that a search has found.

import { age, number, statusText } from "./format.js";
import { h, lab, trans } from "./packages.js";
import { usePages } from "./pages.js";
import { byTime, orderBy } from "./sorting.js";
import { List } from "./tree.js";

const PAGE = 20;
const TRIES = 5; // runs that are looked at for a metric

/** Search runs, and note what is found.
 * @param {string[]} experiments their IDs
 * @param {string[]} filters in MLflow's language, of which one has to match; none: those that have no parent
 */
export async function findRuns(store, experiments, filters, sorting, pageToken = undefined) {
  const { api } = store;
  const search = { experimentIds: experiments, maxResults: PAGE, orderBy: orderBy(sorting), pageToken };
  const searches = filters.map((filter) => api.runs({ ...search, filter }));
  const pages = searches.length ? await Promise.all(searches) : [await api.topLevel(search)];
  const found = pages.flatMap((page) => page.found);
  if (pages.length > 1) found.sort((one, other) => other.start - one.start);
  store.note(found);
  return { found, token: pages.length > 1 ? undefined : pages[0].token };
}

/** A list of runs, see `findRuns`. A search has its `first` page, and shows nested runs as any other. */
export function Runs({ store, experiments, filters, sorting, first, depth = 0 }) {
  const { useEffect, useRef, useState } = lab.react;
  const search = (token) => findRuns(store, experiments, filters, sorting, token);
  const pages = usePages(store, search, { isFollowed: true, first });
  const [values, setValues] = useState(new Map());
  const ended = useRef(new Set()).current; // runs whose values are the last ones
  useEffect(() => void (store.round.isQuiet || ended.clear()), [store.round]);
  useEffect(() => {
    const runs = pages.found.filter(({ id }) => !ended.has(id));
    const load = async () => {
      const found = await complete(store, runs, sorting, !first);
      setValues((shown) => new Map([...shown, ...found]));
      runs.filter(({ status }) => status !== "RUNNING").forEach(({ id }) => ended.add(id));
    };
    runs.length && void store.attempt(load, true); // the runs are shown anyhow
  }, [pages.found]);
  const row = ({ id, experiment }) => {
    const isBest = sorting.isChosen && id === pages.found[0].id && values.get(id) !== undefined;
    const below = (depth) => h(RunsOf, { store, experiment, parent: id, depth });
    const isParent = !first && store.parents.has(id);
    return { ...runRow(store, id, sorting.key, values.get(id), isBest), below: isParent && below };
  };
  return h(List, { store, pages, none: trans.__("No runs"), depth, row });
}

/** An experiment's runs that have no parent, or those that have this one. */
export function RunsOf({ store, experiment, parent = "", depth }) {
  const sorting = store.sorting(experiment);
  const filters = parent ? [`tags.mlflow.parentRunId = '${parent}'`] : [];
  const key = orderBy(sorting)[0]; // another order is another list
  return h(Runs, { store, experiments: [experiment], filters, sorting, depth, key });
}

/** Learn what takes more requests: which runs have nested ones, and the values of all, by their IDs. */
async function complete(store, runs, sorting, isTree) {
  const { api, parents } = store;
  let shown = sorting;
  if (isTree) {
    if (!sorting.key) {
      shown = byTime((await keysOf(api, runs)).metrics);
      store.sortings.set(runs[0].experiment, shown);
    }
    (await api.parents(runs.filter(({ id }) => !parents.has(id)))).forEach((id) => parents.add(id));
  }
  return api.values(runs.map(({ id }) => id), shown);
}

/** The names of the metrics and parameters of the first run that has metrics. @param {any} api @param {any[]} runs */
export async function keysOf(api, runs) {
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
  const facts = [name, state, value && `${key} ${value}`, isBest && trans.__("best"), age(start)];
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
    facts,
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
