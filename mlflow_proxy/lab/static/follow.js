// What changes by itself: new runs, and those that were seen running, of whose end the user is told.

import { duration, statusText } from "./format.js";
import { lab, trans } from "./packages.js";

const LONG_AGO = 10 * 60_000; // ms; the end of a run that Jupyter slept through is no news
const MAX_RUNS = 100;

/** @typedef {import("./store.js").Store} Store */

/** Show what is new, without being asked. @param {Store} store @param {boolean} isShown whether the user sees it */
export async function follow(store, isShown) {
  if (isShown) store.update(); // ages go on
  const running = [...store.runs.values()].filter(({ status }) => status === "RUNNING").slice(0, MAX_RUNS);
  if (store.pending || (!isShown && !running.length)) {
    return;
  }
  if (!isShown) await store.model.refresh(); // not looked at otherwise
  if (store.isReady && store.hasLoaded) {
    running.length && (await store.attempt(() => look(store, running), true));
    if (isShown) store.reload(true);
  }
}

/** Ask how runs are. @param {Store} store @param {import("./api.js").Run[]} runs */
async function look(store, runs) {
  const experimentIds = [...new Set(runs.map(({ experiment }) => experiment))];
  const filter = `attributes.run_id IN (${runs.map(({ id }) => `'${id}'`)})`;
  const { found } = await store.api.runs({ experimentIds, filter, maxResults: runs.length });
  const now = new Map(found.map((run) => [run.id, run]));
  store.note(runs.map((run) => now.get(run.id) ?? { ...run, status: "DELETED" }));
  found.filter(({ status }) => status !== "RUNNING").forEach((run) => tell(store, run));
}

/** @param {Store} store @param {import("./api.js").Run} run */
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
