// The latest traces of an experiment, and one row for the others.

import { openItem } from "./actions.js";
import { age, duration, statusText } from "./format.js";
import { h, trans } from "./packages.js";
import { usePages } from "./pages.js";
import { stateIcon } from "./runs.js";
import { List } from "./tree.js";

const MAX = 5;
const STATUSES = { OK: "FINISHED", ERROR: "FAILED", IN_PROGRESS: "RUNNING" }; // of runs

/** @param {{store: import("./store.js").Store, experiment: string, depth: number}} props */
export function Traces({ store, experiment, depth }) {
  const pages = usePages(store, async () => {
    const found = await store.api.traces([experiment], MAX + 1);
    return { found: found.length > MAX ? [...found.slice(0, MAX), { id: "", experiment }] : found };
  });
  const row = (trace) => {
    const { id, name, state, took, start, preview } = trace;
    const label = [trans.__("Trace %1", name), statusText(state), duration(took), age(start)].join(", ");
    const activate = () => openItem(store, { ...trace, kind: "trace" });
    const shown = { kind: "trace", label, title: `${label}\n${preview}`, value: duration(took), age: age(start) };
    const lead = h("span", { className: "jp-mlflow-lead" }, stateIcon(statusText(state)));
    return id
      ? { ...shown, text: name, status: STATUSES[state] ?? state, lead, activate }
      : { kind: "trace", text: trans.__("All traces"), activate };
  };
  return h(List, { store, pages, depth, row });
}
