// A small chart of a metric, beside its value. It grows by the values that the sidebar sees.

import { number } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [60, 16];
const MAX_VALUES = 500;

export class Sparkline {
  constructor(trans) {
    this._trans = trans;
    this._line = document.createElementNS(SVG, "polyline");
    this.node = document.createElementNS(SVG, "svg");
    this.node.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.node.setAttribute("role", "img");
    this.node.append(this._line);
    /** @type {any[]} */
    this._values = [];
    /** Whether its history is known. */
    this.isDrawn = false;
  }

  /** Add a value, unless it is the last one. @param {{value: any, timestamp: any, step: any}} metric */
  add(metric) {
    const last = this._values.at(-1);
    if (last?.timestamp !== metric.timestamp || last?.step !== metric.step) {
      this._show([...this._values, metric]);
    }
  }

  /** Draw a history. @param {any[]} values */
  draw(values) {
    this.isDrawn = true;
    this._show(values);
  }

  /** Nothing if fewer than two are finite. @param {any[]} values */
  _show(values) {
    this._values = values.slice(-MAX_VALUES);
    const finite = values.map(({ value }) => value).filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const x = (index) => (index / (finite.length - 1 || 1)) * WIDTH;
    const y = (value) => HEIGHT - 1 - ((value - low) / (high - low || 1)) * (HEIGHT - 2);
    const points = finite.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
    this.node.style.display = finite.length > 1 ? "" : "none";
    this._line.setAttribute("points", points.join(" "));
    const label = this._trans.__("From %1 to %2", number(finite[0]), number(finite.at(-1)));
    this.node.setAttribute("aria-label", label);
  }
}
