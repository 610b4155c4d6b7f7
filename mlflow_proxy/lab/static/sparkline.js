// A small chart of a metric, beside its value. It grows by the values that the sidebar sees.

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT] = [60, 16];

/** MLflow writes numbers that JSON has not as texts. @param {number|string} value */
export const format = (value) =>
  typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);

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
  }

  /** Add a value, unless it is the last one. @param {{value: any, timestamp: number, step: number}} metric */
  add(metric) {
    const last = this._values.at(-1);
    if (last?.timestamp !== metric.timestamp || last?.step !== metric.step) {
      this.draw([...this._values, metric]);
    }
  }

  /** Draw values; nothing if fewer than two are finite. @param {{value: any}[]} values */
  draw(values) {
    this._values = values;
    const finite = values.map(({ value }) => value).filter(Number.isFinite);
    const [low, high] = [Math.min(...finite), Math.max(...finite)];
    const x = (index) => (index / (finite.length - 1 || 1)) * WIDTH;
    const y = (value) => HEIGHT - 1 - ((value - low) / (high - low || 1)) * (HEIGHT - 2);
    const points = finite.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`);
    this.node.style.display = finite.length > 1 ? "" : "none";
    this._line.setAttribute("points", points.join(" "));
    const label = this._trans.__("From %1 to %2", format(finite[0]), format(finite.at(-1)));
    this.node.setAttribute("aria-label", label);
  }
}
