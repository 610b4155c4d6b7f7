// Runs that were seen running: their rows follow them, and the user is told when they end.

import { duration, statusText } from "./format.js";
import { lab, trans } from "./packages.js";

const LONG_AGO = 10 * 60_000; // ms; the end of a run that Jupyter slept through is no news
const MAX_RUNS = 100;

/** The runs that are known to be running. @param {import("./store.js").Store} store */
export const running = ({ runs }) => [...runs.values()].filter(({ status }) => status === "RUNNING").slice(0, MAX_RUNS);

/** Ask how those runs are. @param {import("./store.js").Store} store */
export async function watch(store) {
  const before = running(store);
  if (!before.length) return;
  const experimentIds = [...new Set(before.map(({ experiment }) => experiment))];
  const filter = `attributes.run_id IN (${before.map(({ id }) => `'${id}'`)})`;
  const { found } = await store.api.runs({ experimentIds, filter, maxResults: before.length });
  const now = new Map(found.map((run) => [run.id, run]));
  store.note(before.map((run) => now.get(run.id) ?? { ...run, status: "DELETED" }));
  found.filter(({ status }) => status !== "RUNNING").forEach((run) => tell(store, run));
  store.update();
}

/** @param {import("./store.js").Store} store @param {import("./api.js").Run} run */
function tell({ settings, showRun }, run) {
  if (settings?.composite.notifications === false || Date.now() - run.end > LONG_AGO) {
    return;
  }
  const isGood = run.status === "FINISHED";
  const name = run.name.length > 80 ? `${run.name.slice(0, 80)}…` : run.name;
  const text = isGood
    ? trans.__("Run %1 has finished after %2", name, duration(run.end - run.start))
    : trans.__("Run %1 has ended: %2", name, statusText(run.status));
  const actions = [{ label: trans.__("Show run"), callback: () => showRun(run.id) }];
  lab.apputils.Notification[isGood ? "success" : "error"](text, { actions, autoClose: isGood && 10_000 });
}
