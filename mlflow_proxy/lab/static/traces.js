// The latest traces of an experiment, and one row for the others.

import { openItem } from "./actions.js";
import { age, duration, statusText } from "./format.js";
import { PagedList, Row } from "./list.js";
import { h, trans } from "./packages.js";
import { stateIcon } from "./runs.js";

const MAX = 5;
const STATUSES = { OK: "FINISHED", ERROR: "FAILED", IN_PROGRESS: "RUNNING" }; // of runs

export class TraceList extends PagedList {
  /** @param {import("./store.js").Store} store @param {string} experiment its ID */
  constructor(store, experiment) {
    const search = async () => {
      const found = await store.api.traces([experiment], MAX + 1);
      return { found: found.length > MAX ? [...found.slice(0, MAX), { id: "", experiment }] : found };
    };
    super(store, { search, make: (trace) => new TraceRow(store, trace) });
  }
}

class TraceRow extends Row {
  kind = "trace";

  get shown() {
    const { id, name, state, took, start, preview } = this.data;
    if (!id) {
      return { text: trans.__("All traces") };
    }
    const label = [trans.__("Trace %1", name), statusText(state), duration(took), age(start)].join(", ");
    return {
      text: name,
      label,
      title: `${label}\n${preview}`,
      value: duration(took),
      age: age(start),
      status: STATUSES[state] ?? state,
      lead: h("span", { className: "jp-mlflow-lead" }, stateIcon(statusText(state))),
    };
  }

  activate() {
    return openItem(this.store, this.target);
  }
}
