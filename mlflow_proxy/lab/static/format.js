// Numbers, times and states as the sidebar shows them. MLflow stores any 64-bit number as a time.

import { trans } from "./packages.js";

const MAX_TIME = 8.64e15; // ms; JavaScript's dates end there

/** @param {any} value of a metric; null stands for what is no number */
export const number = (value) =>
  value === null ? "NaN" : typeof value === "number" ? String(Number(value.toPrecision(5))) : String(value);

/** @param {number} time in ms */
const isTime = (time) => time > 0 && time <= MAX_TIME;

/** How long ago, in few characters; empty for what is no time. @param {number} time in ms */
export function age(time) {
  const seconds = (Date.now() - time) / 1000;
  if (!isTime(time) || seconds < -60) return "";
  const units = [["y", 31557600], ["mo", 2629800], ["d", 86400], ["h", 3600], ["m", 60]];
  const [unit, length] = units.find(([, length]) => seconds >= Number(length)) ?? ["", 1];
  return unit ? `${Math.floor(seconds / Number(length))}${unit}` : "now";
}

/** @param {number} time in ms */
export const date = (time) => (isTime(time) ? new Date(time).toLocaleString() : "");

/** @param {number} milliseconds */
export function duration(milliseconds) {
  const seconds = Math.max(0, milliseconds / 1000);
  if (!(milliseconds <= MAX_TIME)) return "";
  if (seconds < 10) return `${Number(seconds.toPrecision(2))} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return [hours && `${hours} h`, minutes && `${minutes} min`, `${whole % 60} s`].filter(Boolean).join(" ");
}

/** @param {string} status of a run */
export function statusText(status) {
  const texts = {
    RUNNING: trans.__("Running"),
    SCHEDULED: trans.__("Scheduled"),
    FINISHED: trans.__("Finished"),
    FAILED: trans.__("Failed"),
    KILLED: trans.__("Killed"),
    DELETED: trans.__("Deleted"),
  };
  return texts[status] ?? status;
}
