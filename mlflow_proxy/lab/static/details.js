// The details of one run, in a section of their own: charts are drawn for the metrics in view.

import { arrange, element, setText } from "./elements.js";
import { age, date, duration, number, statusText } from "./format.js";
import { Sparkline } from "./sparkline.js";

const POINTS = 40; // of a chart
const PATIENCE = 100; // ms until charts that have come into view are asked for together
const SYSTEM = "system/"; // MLflow's prefix of the machine's metrics

export class Details {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    const { trans } = actions;
    this._actions = actions;
    /** The run that is shown. @type {any} */
    this.run = undefined;
    /** By the names of the metrics. @type {Map<string, Sparkline>} */
    this._charts = new Map();
    /** Metrics whose charts have come into view. @type {Set<string>} */
    this._wanted = new Set();
    const captions = ["Run", "Metrics", "Parameters", "Tags"];
    this._tables = captions.map((caption) => new Table(trans.__(caption)));
    this._name = element("h3", { className: "jp-mlflow-title" });
    this._none = element("p", { textContent: trans.__("Select a run to see its metrics and parameters.") });
    const props = { className: "jp-mlflow-details", tabIndex: 0, role: "group", ariaLabel: trans.__("Run details") };
    this.node = element("div", props, this._none, this._name, ...this._tables.map(({ node }) => node));
    this._observer = new IntersectionObserver((entries) => this._see(entries), { root: this.node });
    actions.watch.changed.connect((_, run) => run.id === this.run?.id && this.load(run.id));
  }

  /** Show a run. @param {string} id */
  async load(id) {
    const asked = (this._asked = this._actions.api.run(id));
    const run = await asked;
    if (asked !== this._asked) return; // the user has gone on to another run
    if (id !== this.run?.id) {
      this._charts.clear();
      this._wanted.clear();
      this._tables.forEach((table) => table.rows.clear());
      this.node.scrollTop = 0;
    }
    this._show(run);
  }

  /** Show what is new of a run that goes on. */
  async follow() {
    if (this.run?.status === "RUNNING") {
      await this.load(this.run.id);
    }
  }

  _show(run) {
    const { trans, names } = this._actions;
    this.run = run;
    this._none.hidden = true;
    setText(this._name, run.name);
    const order = ({ key }) => `${Number(key.startsWith(SYSTEM))}${key}`; // those of the machine last
    const metrics = [...(run.metrics ?? [])].sort((one, other) => (order(one) < order(other) ? -1 : 1));
    const pairs = (all) => (all ?? []).map(({ key, value }) => [key, value]);
    const [facts, measured, params, tags] = this._tables;
    facts.show([
      [trans.__("Experiment"), names.get(run.experiment) ?? run.experiment],
      [trans.__("Status"), statusText(run.status, trans)],
      [trans.__("Started"), [age(run.start), date(run.start)].filter(Boolean).join(" · ")],
      [trans.__("Duration"), duration((run.end || Date.now()) - run.start)],
    ]);
    measured.show(metrics.map((metric) => [metric.key, number(metric.value), this._chart(metric)]));
    params.show(pairs(run.params));
    tags.show(pairs(run.tags).filter(([key]) => !key.startsWith("mlflow.")));
    for (const row of measured.rows.values()) this._observer.observe(row);
  }

  /** A place for the metric's chart, which is drawn when it comes into view. */
  _chart({ key, value, step, timestamp }) {
    const chart = this._charts.get(key) ?? new Sparkline(this._actions.trans);
    chart.add({ value, step, timestamp });
    this._charts.set(key, chart);
    return chart.node;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  _see(entries) {
    for (const { target } of entries.filter(({ isIntersecting }) => isIntersecting)) {
      const key = /** @type {HTMLElement} */ (target).dataset.key ?? "";
      this._observer.unobserve(target);
      if (this._charts.get(key)?.isDrawn === false) this._wanted.add(key);
    }
    if (this._wanted.size) {
      this._timer ??= setTimeout(() => this._draw(), PATIENCE);
    }
  }

  async _draw() {
    this._timer = undefined;
    const charts = [...this._wanted].map((key) => this._charts.get(key));
    const queries = [...this._wanted].map((metricKey) => ({ runIds: [this.run.id], metricKey }));
    this._wanted.clear();
    try {
      const histories = await this._actions.api.histories(queries, POINTS);
      histories.forEach((values, index) => charts[index]?.draw(values));
    } catch (error) {
      console.warn(error); // the last value is shown anyhow
    }
  }
}

/** A table of named values, whose rows stay as they are while their values change. */
class Table {
  /** @param {string} caption */
  constructor(caption) {
    this._body = element("tbody");
    this.node = element("table", { hidden: true }, element("caption", {}, caption), this._body);
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
  }

  /** @param {any[][]} lines a name, a value and perhaps an element each */
  show(lines) {
    this.rows = new Map(lines.map(([name, value, extra]) => {
      const row = this.rows.get(name) ?? makeRow(name, extra);
      const cell = /** @type {HTMLElement} */ (row.children[1]);
      setText(cell, value);
      cell.title = value;
      return [name, row];
    }));
    arrange(this._body, [...this.rows.values()]);
    this.node.hidden = !lines.length;
  }
}

function makeRow(name, extra) {
  const row = element("tr", {}, element("th", { scope: "row", title: name }, name), element("td"));
  row.dataset.key = name;
  extra && row.append(element("td", { className: "jp-mlflow-chart" }, extra));
  return row;
}
