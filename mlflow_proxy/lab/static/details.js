// The details of one run, in a section of their own: charts are drawn for the metrics in view.

import { age, date, duration, number, statusText } from "./format.js";
import { h, lab, trans } from "./packages.js";
import { Sparkline } from "./sparkline.js";

const POINTS = 40; // of a chart
const MAX_POINTS = 500; // of one that grows
const PATIENCE = 100; // ms until charts that have come into view are asked for together
const SYSTEM = "system/"; // MLflow's prefix of the machine's metrics

export class Details {
  /** @param {import("./store.js").Store} store */
  constructor(store) {
    this._store = store;
    /** The run that is shown. @type {any} */
    this.run = undefined;
    /** Values by the names of the metrics; they grow by what is seen. @type {Map<string, any[]>} */
    this.charts = new Map();
    /** Metrics whose charts have been in view. @type {Set<string>} */
    this._drawn = new Set();
    /** Those of them that are to be asked for. @type {Set<string>} */
    this._wanted = new Set();
    this._observer = new IntersectionObserver((entries) => this._see(entries));
  }

  /** Show a run. @param {string} id */
  async load(id) {
    const asked = (this._asked = this._store.api.run(id));
    const run = await asked;
    if (asked !== this._asked) return; // the user has gone on to another run
    if (id !== this.run?.id) {
      [this.charts, this._drawn, this._wanted].forEach((of) => of.clear());
    }
    this.run = run;
    for (const { key, ...metric } of run.metrics) {
      const values = this.charts.get(key) ?? [];
      const last = values.at(-1);
      const isNew = last?.timestamp !== metric.timestamp || last?.step !== metric.step;
      this.charts.set(key, isNew ? [...values, metric].slice(-MAX_POINTS) : values);
    }
    this._store.update();
  }

  /** Show what is new of a run that goes on. */
  async follow() {
    if (this.run?.status === "RUNNING") {
      await this.load(this.run.id);
    }
  }

  /** Have charts drawn that come into view. @param {HTMLElement} node */
  observe(node) {
    node.querySelectorAll("[data-key]").forEach((row) => this._observer.observe(row));
  }

  /** @param {IntersectionObserverEntry[]} entries */
  _see(entries) {
    const seen = entries.filter(({ isIntersecting }) => isIntersecting);
    for (const key of seen.map(({ target }) => /** @type {HTMLElement} */ (target).dataset.key ?? "")) {
      this._drawn.has(key) || this._wanted.add(key);
      this._drawn.add(key);
    }
    if (this._wanted.size) {
      this._timer ??= setTimeout(() => this._draw(), PATIENCE);
    }
  }

  async _draw() {
    this._timer = undefined;
    const { id } = this.run;
    const keys = [...this._wanted];
    this._wanted.clear();
    try {
      const queries = keys.map((metricKey) => ({ runIds: [id], metricKey }));
      const histories = await this._store.api.histories(queries, POINTS);
      if (id === this.run.id) keys.forEach((key, index) => this.charts.set(key, histories[index]));
      this._store.update();
    } catch (error) {
      console.warn(error); // the last value is shown anyhow
    }
  }
}

/** @param {{details: Details, names: Map<string, string>}} props `names`: of experiments, by their IDs */
export function DetailsView({ details, names }) {
  const { run, charts } = details;
  const node = lab.react.useRef();
  lab.react.useEffect(() => details.observe(node.current));
  const label = trans.__("Run details");
  const props = { className: "jp-mlflow-details", tabIndex: 0, role: "group", "aria-label": label, ref: node };
  if (!run) {
    return h("div", props, h("p", {}, trans.__("Select a run to see its metrics and parameters.")));
  }
  const order = ({ key }) => `${Number(key.startsWith(SYSTEM))}${key}`; // those of the machine last
  const metrics = [...run.metrics].sort((one, other) => (order(one) < order(other) ? -1 : 1));
  const chart = (key) => h("td", { className: "jp-mlflow-chart" }, h(Sparkline, { values: charts.get(key) ?? [] }));
  const pairs = (all) => all.map(({ key, value }) => [key, value]);
  const facts = [
    [trans.__("Experiment"), names.get(run.experiment) ?? run.experiment],
    [trans.__("Status"), statusText(run.status)],
    [trans.__("Started"), [age(run.start), date(run.start)].filter(Boolean).join(" · ")],
    [trans.__("Duration"), duration((run.end || Date.now()) - run.start)],
  ];
  return h(
    "div",
    { ...props, key: run.id }, // another run begins at the top
    h("h3", { className: "jp-mlflow-title" }, run.name),
    table(trans.__("Run"), facts),
    table(trans.__("Metrics"), metrics.map(({ key, value }) => [key, number(value), chart(key)])),
    table(trans.__("Parameters"), pairs(run.params)),
    table(trans.__("Tags"), pairs(run.tags.filter(({ key }) => !key.startsWith("mlflow.")))),
  );
}

/** @param {string} caption @param {any[]} lines a name, a value and perhaps a cell each */
function table(caption, lines) {
  const row = ([name, value, cell]) =>
    h("tr", { key: name, "data-key": cell && name }, h("th", { scope: "row", title: name }, name), h("td", { title: value }, value), cell);
  return lines.length > 0 && h("table", {}, h("caption", {}, caption), h("tbody", {}, lines.map(row)));
}
