// An experiment's latest traces, above its runs.

import { element } from "./elements.js";
import { age, duration, statusText } from "./format.js";
import { PagedList } from "./list.js";
import { Row } from "./row.js";

const SHOWN = 5;

export class TraceList extends PagedList {
  /** @param {import("./actions.js").Actions} actions @param {string} experiment its ID */
  constructor(actions, experiment) {
    const search = async () => {
      const traces = await actions.api.traces([experiment], SHOWN + 1);
      const all = { trace_id: "", experiment };
      return { found: traces.length > SHOWN ? [...traces.slice(0, SHOWN), all] : traces };
    };
    super(actions, { none: "", search, key: (trace) => trace.trace_id, make: (trace) => new TraceRow(actions, trace, experiment) });
  }
}

class TraceRow extends Row {
  constructor(actions, trace, experiment) {
    const { launchIcon } = actions.lab.ui;
    const target = () => ({ kind: "trace", id: trace.trace_id, experiment });
    super(actions, {
      kind: trace.trace_id ? "trace" : "traces",
      target,
      activate: () => actions.openItem(target()),
      lead: [element("span", { className: "jp-mlflow-lead" }, element("span", { className: "jp-mlflow-state" }))],
      buttons: [[launchIcon, actions.trans.__("Open in the dashboard"), () => actions.openItem(target())]],
    });
  }

  update({ trace_id, tags, request_time, execution_duration, state, request_preview = "" }) {
    const { trans } = this._actions;
    if (!trace_id) {
      this.show({ text: trans.__("All traces") });
      return;
    }
    const name = tags?.["mlflow.traceName"] || trace_id;
    const took = execution_duration ? duration(parseFloat(execution_duration) * 1000) : "";
    const ago = age(Date.parse(request_time));
    const status = { OK: "FINISHED", ERROR: "FAILED", IN_PROGRESS: "RUNNING" }[state] ?? state;
    const label = [trans.__("Trace %1", name), statusText(state, trans), took, ago].filter(Boolean).join(", ");
    this.show({ text: name, label, title: `${label}\n${request_preview}`.trim(), value: took, age: ago, status });
  }
}
