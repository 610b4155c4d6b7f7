// Runs that were seen running: their rows follow them, and the user is told when they end.

import { duration, statusText } from "./format.js";

const LONG_AGO = 10 * 60_000; // ms; the end of a run that Jupyter slept through is no news
const MAX_RUNS = 100;

export class Watch {
  /**
   * @param {import("./api.js").Api} api
   * @param {import("./extension.js").Parts} parts
   * @param {(run: import("./api.js").Run) => any} open
   */
  constructor(api, { lab, trans, settings }, open) {
    this._api = api;
    this._lab = lab;
    this._trans = trans;
    this._open = open;
    /** @type {Map<string, import("./api.js").Run>} */
    this._running = new Map();
    this.changed = new lab.signaling.Signal(this);
    settings.then((found) => (this._settings = found));
  }

  /** Follow a run if it is running. @param {import("./api.js").Run} run */
  see(run) {
    if (run.status === "RUNNING" && (this._running.has(run.id) || this._running.size < MAX_RUNS)) {
      this._running.set(run.id, run);
    }
  }

  get isIdle() {
    return !this._running.size;
  }

  /** Ask how those runs are. */
  async look() {
    const runs = [...this._running.values()];
    if (!runs.length) return;
    const experimentIds = [...new Set(runs.map(({ experiment }) => experiment))];
    const filter = `attributes.run_id IN (${runs.map(({ id }) => `'${id}'`)})`;
    const [{ found }] = await this._api.runs([{ experimentIds, filter, maxResults: runs.length }]);
    const now = new Map(found.map((run) => [run.id, run]));
    for (const before of runs) {
      const run = now.get(before.id); // it may be deleted
      if (run?.status !== "RUNNING") {
        this._running.delete(before.id);
        run && this._tell(run);
      }
      if (run && JSON.stringify(run) !== JSON.stringify(before)) {
        this.changed.emit(run);
      }
    }
  }

  /** @param {import("./api.js").Run} run */
  _tell(run) {
    const { _trans: trans } = this;
    if (this._settings?.composite.notifications === false || Date.now() - run.end > LONG_AGO) {
      return;
    }
    const isGood = run.status === "FINISHED";
    const name = run.name.length > 80 ? `${run.name.slice(0, 80)}…` : run.name;
    const text = isGood
      ? trans.__("Run %1 has finished after %2", name, duration(run.end - run.start))
      : trans.__("Run %1 has ended: %2", name, statusText(run.status, trans));
    const actions = [{ label: trans.__("Show run"), callback: () => this._open(run) }];
    this._lab.apputils.Notification[isGood ? "success" : "error"](text, { actions, autoClose: isGood && 10_000 });
  }
}
