// How the runs of an experiment are sorted, and which metric or parameter their rows show.

const SMALLER_IS_BETTER = /loss|error|err$|mae|mse|rmse|mape|perplexity|wer|cer|time|latency/i;

/** @typedef {{key: string, kind: ""|"metrics"|"params", isAscending: boolean, isChosen: boolean,
 *   best?: string}} Sorting `key`: what the rows show; `kind`: empty if nothing is known to show;
 *   `isChosen`: whether the runs are sorted by it, not by their time; `best`: the ID of the first run
 */

/** @returns {Sorting} newest first, with the first metric that is not the machine's @param {string[]} metrics */
export function byTime(metrics) {
  const key = metrics.find((each) => !each.startsWith("system/")) ?? "";
  return { key, kind: key ? "metrics" : "", isAscending: false, isChosen: false };
}

/** @param {Sorting} sorting @returns {string[]} as MLflow takes it */
export function orderBy({ key, kind, isAscending, isChosen }) {
  const byStart = "attributes.start_time DESC";
  return isChosen ? [`${kind}.\`${key}\` ${isAscending ? "ASC" : "DESC"}`, byStart] : [byStart];
}

/**
 * Ask the user how to sort.
 *
 * @param {import("./actions.js").Actions} actions
 * @param {{metrics: string[], params: string[]}} keys
 * @returns {Promise<Sorting | undefined>} undefined: as before
 */
export async function chooseSorting({ lab, trans }, { metrics, params }) {
  const choices = new Map([[trans.__("Start time"), byTime(metrics)]]);
  for (const [kind, keys] of Object.entries({ metrics, params })) {
    for (const key of keys) {
      const text = kind === "params" ? trans.__("%1 (parameter)", key) : key;
      const isAscending = kind === "params" || SMALLER_IS_BETTER.test(key);
      const add = (label, isAscending) =>
        choices.set(label, { key, kind: /** @type {any} */ (kind), isAscending, isChosen: true });
      add(isAscending ? trans.__("%1, smallest first", text) : trans.__("%1, largest first", text), isAscending);
      add(isAscending ? trans.__("%1, largest first", text) : trans.__("%1, smallest first", text), !isAscending);
    }
  }
  const { value } = await lab.apputils.InputDialog.getItem({
    title: trans.__("Sort runs by"),
    items: [...choices.keys()],
    editable: choices.size > 20, // a list to search
  });
  return choices.get(value);
}
