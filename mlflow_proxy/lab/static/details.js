// The details of one run, in a section of their own: charts are drawn for the metrics in view.

import { arrange, element, setText } from "./elements.js";
import { age, date, duration, number, statusText } from "./format.js";
import { Sparkline } from "./sparkline.js";

const POINTS = 40; // of a chart
const PATIENCE = 100; // ms until charts that have come into view are asked for together
const MAX_KEPT = 20; // runs that have ended
const SYSTEM = "system/"; // MLflow's prefix of the machine's metrics

export class Details {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    this._actions = actions;
    this._trans = actions.trans;
    this._name = element("h3", { className: "jp-mlflow-title" });
    const { trans } = actions;
    this._none = element("p", { textContent: trans.__("Select a run to see its metrics and parameters.") });
    this._tables = [
      new Table(trans.__("Run")),
      new Table(trans.__("Metrics")),
      new Table(trans.__("Parameters")),
      new Table(trans.__("Tags")),
    ];
    const props = { className: "jp-mlflow-details", tabIndex: 0, role: "group", ariaLabel: trans.__("Run details") };
    this.node = element("div", props, this._none, this._name);
    this.node.append(...this._tables.map(({ node }) => node));
    this._observer = new IntersectionObserver((entries) => this._see(entries), { root: this.node });
    actions.watch.changed.connect((_, run) => run.id === this.run?.id && this.load(run.id));
    /** The run that is shown. @type {any} */
    this.run = undefined;
    /** Those of runs that have ended, by their IDs. @type {Map<string, {run: any, charts: Map<string, Sparkline>}>} */
    this._ended = new Map();
    /** By the names of the metrics. @type {Map<string, Sparkline>} */
    this._charts = new Map();
    /** Metrics whose charts have come into view. @type {Set<string>} */
    this._wanted = new Set();
  }

  /** Show a run. @param {string} id */
  async load(id) {
    const isOther = id !== this.run?.id;
    const ended = isOther && this._ended.get(id);
    const asked = (this._asked = ended ? Promise.resolve(ended.run) : this._actions.api.run(id));
    const run = await asked;
    if (asked !== this._asked) return; // the user has gone on to another run
    if (isOther) {
      this._charts = ended ? ended.charts : new Map();
      this._wanted.clear();
      this._tables.forEach((table) => table.rows.clear());
      this.node.scrollTop = 0;
    }
    if (run.status === "RUNNING") {
      this._ended.delete(id);
    } else {
      this._ended.set(id, { run, charts: this._charts });
      if (this._ended.size > MAX_KEPT) this._ended.delete([...this._ended.keys()][0]);
    }
    this._show(run);
  }

  /** Show what is new of a run that goes on. */
  async follow() {
    if (this.run?.status === "RUNNING" && this.node.isConnected) {
      await this.load(this.run.id);
    }
  }

  _show(run) {
    const { _trans: trans } = this;
    this.run = run;
    this._none.hidden = true;
    setText(this._name, run.name);
    const order = ({ key }) => `${Number(key.startsWith(SYSTEM))}${key}`; // those of the machine last
    const metrics = [...(run.metrics ?? [])].sort((one, other) => (order(one) < order(other) ? -1 : 1));
    const pairs = (all = []) => all.map(({ key, value }) => [key, value]);
    const [facts, measured, params, tags] = this._tables;
    facts.show([
      [trans.__("Experiment"), this._actions.names.get(run.experiment) ?? run.experiment],
      [trans.__("Status"), statusText(run.status, trans)],
      [trans.__("Started"), [date(run.start), age(run.start)].filter(Boolean).join(" · ")],
      [trans.__("Duration"), duration((run.end || Date.now()) - run.start)],
    ]);
    measured.show(metrics.map((metric) => [metric.key, number(metric.value), this._chart(metric)]));
    params.show(pairs(run.params));
    tags.show(pairs(run.tags?.filter(({ key }) => !key.startsWith("mlflow."))));
    for (const row of measured.rows.values()) this._observer.observe(row);
  }

  /** @returns {Element} a place for the metric's chart, which is drawn when it comes into view */
  _chart({ key, value, step, timestamp }) {
    const known = this._charts.get(key);
    const chart = known ?? new Sparkline(this._trans);
    chart.add({ value, step, timestamp });
    this._charts.set(key, chart);
    return chart.node;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  _see(entries) {
    for (const { isIntersecting, target } of entries) {
      const key = /** @type {HTMLElement} */ (target).dataset.key ?? "";
      const isNew = isIntersecting && this._charts.get(key)?.isDrawn === false;
      if (isIntersecting) this._observer.unobserve(target);
      if (isNew) this._wanted.add(key);
    }
    if (this._wanted.size && !this._timer) {
      this._timer = setTimeout(() => this._draw(), PATIENCE);
    }
  }

  async _draw() {
    this._timer = undefined;
    const [keys, charts, run] = [[...this._wanted], this._charts, this.run];
    this._wanted.clear();
    const query = (metricKey) => ({ runIds: [run.id], metricKey });
    // The last value is shown anyhow.
    const histories = await this._actions.api.histories(keys.map(query), POINTS).catch(() => []);
    histories.forEach((values, index) => charts.get(keys[index])?.draw(values));
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

  /** @param {any[][]} rows a name, a value and perhaps an element each */
  show(rows) {
    const shown = new Map(rows.map(([name, value, extra]) => {
      const row = this.rows.get(name) ?? makeRow(name, extra);
      const cell = /** @type {HTMLElement} */ (row.children[1]);
      setText(cell, value);
      cell.title = value;
      return [name, row];
    }));
    this.rows = shown;
    arrange(this._body, [...shown.values()]);
    this.node.hidden = !rows.length;
  }
}

function makeRow(name, extra) {
  const row = element("tr", {}, element("th", { scope: "row", title: name }, name), element("td"));
  row.dataset.key = name;
  extra && row.append(element("td", { className: "jp-mlflow-chart" }, extra));
  return row;
}
