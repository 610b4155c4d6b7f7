// The details of one run, in a section of their own: charts are drawn for the metrics in view.

import { age, date, duration, number, statusText } from "./format.js";
import { h, lab, trans } from "./packages.js";

const POINTS = 40; // of a history
const MAX_POINTS = 500; // of one that grows
const [WIDTH, HEIGHT] = [60, 16]; // of a chart
const SYSTEM = "system/"; // MLflow's prefix of the machine's metrics

/** @typedef {import("./store.js").Store} Store */

/** @param {{store: Store}} props */
export function Details({ store }) {
  const { useEffect, useState } = lab.react;
  const [run, setRun] = useState();
  const id = store.shownRun;
  useEffect(() => {
    const isQuiet = store.round.isQuiet && run?.id === id;
    const load = async () => {
      const found = await store.api.run(id);
      store.note([found]);
      if (id === store.shownRun) setRun(found); // else the user has gone on to another run
    };
    if (id && (!isQuiet || run.status === "RUNNING")) void store.attempt(load, isQuiet);
  }, [store.round, id]);
  const props = { className: "jp-mlflow-details", tabIndex: 0, role: "group", "aria-label": trans.__("Run details") };
  const none = id ? trans.__("Loading…") : trans.__("Select a run to see its metrics and parameters.");
  return run
    ? h("div", { ...props, key: run.id }, h(Facts, { store, run })) // another run begins at the top
    : h("div", props, h("p", {}, none));
}

function Facts({ store, run }) {
  const order = ({ key }) => `${Number(key.startsWith(SYSTEM))}${key}`; // those of the machine last
  const metrics = [...run.metrics].sort((one, other) => (order(one) < order(other) ? -1 : 1));
  const chart = (metric) => h(Chart, { store, runId: run.id, metric });
  const pairs = (all) => all.map(({ key, value }) => [key, value]);
  const facts = [
    [trans.__("Experiment"), store.names.get(run.experiment) ?? run.experiment],
    [trans.__("Status"), statusText(run.status)],
    [trans.__("Started"), [age(run.start), date(run.start)].filter(Boolean).join(" · ")],
    [trans.__("Duration"), duration((run.end || Date.now()) - run.start)],
  ];
  return [
    h("h3", { className: "jp-mlflow-title", key: "name", title: run.name }, run.name),
    table(trans.__("Run"), facts),
    table(trans.__("Metrics"), metrics.map((metric) => [metric.key, number(metric.value), chart(metric)])),
    table(trans.__("Parameters"), pairs(run.params)),
    table(trans.__("Tags"), pairs(run.tags.filter(({ key }) => !key.startsWith("mlflow.")))),
  ];
}

/** @param {string} caption @param {any[]} lines a name, a value and perhaps a chart each */
function table(caption, lines) {
  const row = ([name, value, chart]) => {
    const cells = [h("th", { scope: "row", title: name }, name), h("td", { title: value }, value)];
    return h("tr", { key: name }, ...cells, chart && h("td", { className: "jp-mlflow-chart" }, chart));
  };
  return lines.length > 0 && h("table", { key: caption }, h("caption", {}, caption), h("tbody", {}, lines.map(row)));
}

/** The chart of a metric. Its history is asked for when it comes into view; it grows by what is seen later. */
function Chart({ store, runId, metric }) {
  const { useEffect, useRef, useState } = lab.react;
  const node = useRef();
  const [values, setValues] = useState([]);
  const add = (metric) => (shown) => [...shown, metric].slice(-MAX_POINTS);
  useEffect(() => setValues(add(metric)), [metric.timestamp, metric.value]);
  useEffect(() => {
    const observer = new IntersectionObserver(([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      observer.disconnect();
      void store.attempt(async () => setValues(await store.api.history([runId], metric.key, POINTS)), true);
    });
    observer.observe(node.current);
    return () => observer.disconnect();
  }, []);
  return h("div", { ref: node }, h(Sparkline, { values }));
}

/** Nothing if fewer than two of the values are finite. */
function Sparkline({ values }) {
  const finite = values.map(({ value }) => value).filter(Number.isFinite);
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const x = (index) => (index / (finite.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - 1 - ((value - low) / (high - low || 1)) * (HEIGHT - 2);
  const points = finite.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const label = trans.__("From %1 to %2", number(finite[0]), number(finite.at(-1)));
  const props = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label };
  return finite.length > 1 && h("svg", props, h("polyline", { points }));
}
