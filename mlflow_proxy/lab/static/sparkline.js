// A small chart of a metric, beside its value.

import { number } from "./format.js";
import { h, trans } from "./packages.js";

const [WIDTH, HEIGHT] = [60, 16];

/** Nothing if fewer than two of the values are finite. @param {{values: any[]}} props */
export function Sparkline({ values }) {
  const finite = values.map(({ value }) => value).filter(Number.isFinite);
  if (finite.length < 2) {
    return null;
  }
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const x = (index) => (index / (finite.length - 1)) * WIDTH;
  const y = (value) => HEIGHT - 1 - ((value - low) / (high - low || 1)) * (HEIGHT - 2);
  const points = finite.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
  const label = trans.__("From %1 to %2", number(finite[0]), number(finite.at(-1)));
  return h("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": label }, h("polyline", { points }));
}
