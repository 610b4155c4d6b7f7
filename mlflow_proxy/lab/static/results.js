// What a search has found: experiments by their names, and runs.

import { experimentRow } from "./experiments.js";
import { h, trans } from "./packages.js";
import { findRuns, Runs } from "./runs.js";
import { parse } from "./search.js";
import { byTime } from "./sorting.js";
import { List } from "./tree.js";

export const EXAMPLES = ["accuracy > 0.85", "params.depth = 3", "status = failed"];
const MAX_NAMED = 20; // experiments

/** @typedef {import("./store.js").Store} Store */

/** Show what a text finds, or all experiments again without one. @param {Store} store @param {string} text */
export const search = (store, text) => store.attempt(async () => {
  store.searched = text;
  const results = text ? await find(store, text) : undefined; // what is shown stays if MLflow refuses
  if (text === store.searched) store.results = results;
});

/** @param {Store} store @param {string} text */
async function find(store, text) {
  const all = await store.catalog.all();
  const { words, filters } = parse(text);
  const [, name, quoted] = filters[0].match(/metrics\.(?:(\w+)|`([^`]+)`)/) ?? [];
  const sorting = byTime([name ?? quoted ?? ""]); // what is compared is shown
  const experiments = all.map(({ id }) => id);
  try {
    const first = await findRuns(store, experiments, filters, sorting);
    const isNamed = ({ name }) => words.every((word) => name.toLowerCase().includes(word.toLowerCase()));
    const named = words.length ? all.filter(isNamed).slice(0, MAX_NAMED) : [];
    return { named, runs: { experiments, filters, sorting, first, key: performance.now() } };
  } catch (/** @type {any} */ error) {
    const [sentence] = error.message.split(/(?<=[.'"])\s|\n/);
    throw new Error(trans.__("MLflow refused this search: %1 Try e.g. %2", sentence, EXAMPLES[0]));
  }
}

/** @param {{store: Store}} props */
export function Results({ store }) {
  const { named, runs } = store.results;
  const pages = { found: named, isLoaded: true };
  return [
    h(List, { store, pages, row: (each) => experimentRow(store, each), key: "experiments" }),
    h(Runs, { store, ...runs }),
  ];
}
