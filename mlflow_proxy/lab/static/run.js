// One run: two lines, and its details in place.

import { button, element, table } from "./elements.js";
import { continueRun, downloadArtifacts, loadModel, loadRun, modelOf } from "./snippets.js";
import { format, Sparkline } from "./sparkline.js";

const SYSTEM = "system/"; // MLflow's prefix of the machine's metrics

export class RunItem {
  /** @param {import("./actions.js").Actions} actions @param {{run_id: string, experiment_id: string}} info */
  constructor(actions, info) {
    this._actions = actions;
    this._trans = actions.trans;
    /** What MLflow said of it last. @type {{info: any, data?: any, outputs?: any}} */
    this.run = { info };
    /** Charts of the metrics, by their names. @type {Map<string, Sparkline>} */
    this._charts = new Map();
    this._drawing = Promise.resolve();
    this._box = element("input", {
      type: "checkbox",
      onchange: () => actions.comparison.select(info, this._box.checked),
    });
    this._status = element("span", { role: "img", className: "jp-mlflow-status" });
    this._name = element("span", { className: "jp-mlflow-name" });
    this._line = element("span", { className: "jp-mlflow-line" });
    this._buttons = element("div", { className: "jp-mlflow-actions" });
    this._tables = element("div");
    const summary = element("summary", {}, this._status, this._name, this._line);
    const ontoggle = () => this._details.open && this._open();
    this._details = element("details", { ontoggle }, summary, this._buttons, this._tables);
    this.node = element("li", { className: "jp-mlflow-run" }, this._box, this._details);
  }

  /** Show what MLflow says of it now. @param {{info: any, data?: any, outputs?: any}} run */
  update(run) {
    this.run = run;
    const { run_id, run_name, status, start_time } = run.info;
    this._status.dataset.status = status;
    this._status.title = this._status.ariaLabel = statusText(status, this._trans);
    this._name.textContent = run_name;
    this._box.checked = this._actions.comparison.has(run_id);
    this._box.ariaLabel = this._trans.__("Select %1", run_name);
    const shown = this._metrics().filter(({ key }) => !key.startsWith(SYSTEM)).slice(0, 3);
    const time = this._actions.lab.coreutils.Time.formatHuman(new Date(start_time), "narrow");
    this._line.textContent = [time, ...shown.map(({ key, value }) => `${key} ${format(value)}`)].join(" · ");
    if (this._details.open) {
      this._show();
    }
  }

  _metrics() {
    const order = ({ key }) => `${Number(key.startsWith(SYSTEM))}${key}`; // those of the machine last
    return [...(this.run.data?.metrics ?? [])].sort((one, other) => (order(one) < order(other) ? -1 : 1));
  }

  _open() {
    const known = [...this._charts.keys()];
    this._buttons.replaceChildren(...this._offers());
    this._show(); // draws new charts
    known.forEach((key) => this._draw(key));
  }

  /** Draw a metric's values, after other metrics: a run may have hundreds. @param {string} key */
  _draw(key) {
    this._drawing = this._drawing.then(async () => {
      if (this._details.open) {
        const query = { run_ids: this.run.info.run_id, metric_key: key, max_results: "100" };
        const path = `metrics/get-history-bulk-interval?${new URLSearchParams(query)}`;
        const { metrics } = await this._actions.ask(path).catch(() => ({})); // the last value is shown anyhow
        metrics && this._charts.get(key)?.draw(metrics);
      }
    });
  }

  _offers() {
    const { _trans: trans, _actions: actions } = this;
    const { run_id, experiment_id } = this.run.info;
    const model = modelOf(this.run);
    const open = () => actions.open(["experiments", experiment_id, "runs", run_id]);
    return [
      button(trans.__("Open"), open),
      button(trans.__("Copy run ID"), ({ target }) => {
        actions.lab.apputils.Clipboard.copyToSystem(run_id);
        target.textContent = trans.__("Run ID copied");
      }),
      element("div", {}, trans.__("Insert code:")),
      actions.insertButton(trans.__("Load run"), loadRun(run_id)),
      ...(model ? [actions.insertButton(trans.__("Load model"), loadModel(model))] : []),
      actions.insertButton(trans.__("Continue run"), continueRun(run_id)),
      actions.insertButton(trans.__("Download artifacts"), downloadArtifacts(run_id)),
    ];
  }

  _show() {
    const { _trans: trans } = this;
    const { info, data = {} } = this.run;
    const pairs = (all = []) => all.map(({ key, value }) => [key, value]);
    const facts = [
      [trans.__("Experiment"), this._actions.names.get(info.experiment_id) ?? info.experiment_id],
      [trans.__("Status"), statusText(info.status, trans)],
      [trans.__("Started"), new Date(info.start_time).toLocaleString()],
      [trans.__("Duration"), duration((info.end_time || Date.now()) - info.start_time)],
    ];
    const metrics = this._metrics().map((metric) => [metric.key, format(metric.value), this._chart(metric)]);
    this._tables.replaceChildren(
      ...table(trans.__("Run"), facts),
      ...table(trans.__("Metrics"), metrics),
      ...table(trans.__("Parameters"), pairs(data.params)),
      ...table(trans.__("Tags"), pairs(data.tags?.filter(({ key }) => !key.startsWith("mlflow.")))),
    );
  }

  _chart(metric) {
    const known = this._charts.get(metric.key);
    const chart = known ?? new Sparkline(this._trans);
    chart.add(metric);
    if (!known) {
      this._charts.set(metric.key, chart);
      this._draw(metric.key);
    }
    return chart.node;
  }
}

function statusText(status, trans) {
  const texts = {
    RUNNING: trans.__("Running"),
    SCHEDULED: trans.__("Scheduled"),
    FINISHED: trans.__("Finished"),
    FAILED: trans.__("Failed"),
    KILLED: trans.__("Killed"),
  };
  return texts[status] ?? status;
}

/** @param {number} milliseconds */
function duration(milliseconds) {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return [hours && `${hours} h`, minutes && `${minutes} min`, `${seconds % 60} s`].filter(Boolean).join(" ");
}
