// How the runs of an experiment are sorted, and which metric or parameter their rows show.

import { lab, trans } from "./packages.js";

const SMALLER_IS_BETTER = /loss|error|err$|mae|mse|rmse|mape|perplexity|wer|cer|time|latency/i;

/** @typedef {{key: string, kind: "metrics"|"params", isAscending: boolean, isChosen: boolean}} Sorting
 *   `key`: what the rows show, empty if nothing is known; `isChosen`: whether the runs are sorted by it, not by
 *   their time
 */

/** Newest first, with the first metric that is not the machine's. @param {string[]} metrics @returns {Sorting} */
export function byTime(metrics) {
  const key = metrics.find((each) => !each.startsWith("system/")) ?? "";
  return { key, kind: "metrics", isAscending: false, isChosen: false };
}

/** In MLflow's language. @param {Sorting} sorting */
export function orderBy({ key, kind, isAscending, isChosen }) {
  const byStart = "attributes.start_time DESC";
  return isChosen ? [`${kind}.\`${key}\` ${isAscending ? "ASC" : "DESC"}`, byStart] : [byStart];
}

/** Ask the user how to sort; undefined stands for as before. @param {Record<"metrics"|"params", string[]>} keys */
export async function chooseSorting(keys) {
  const choices = new Map([[trans.__("Start time"), byTime(keys.metrics)]]);
  for (const kind of /** @type {const} */ (["metrics", "params"])) {
    for (const key of keys[kind]) {
      const text = kind === "params" ? trans.__("%1 (parameter)", key) : key;
      const isSmallFirst = kind === "params" || SMALLER_IS_BETTER.test(key);
      for (const isAscending of [isSmallFirst, !isSmallFirst]) {
        const order = isAscending ? trans.__("smallest first") : trans.__("largest first");
        choices.set(`${text}, ${order}`, { key, kind, isAscending, isChosen: true });
      }
    }
  }
  const { value } = await lab.apputils.InputDialog.getItem({
    title: trans.__("Sort runs by"),
    items: [...choices.keys()],
    editable: choices.size > 20, // a list to search
  });
  return choices.get(value);
}
