// Follows MLflow's state for the Running panel and the sidebar, while one of them is visible.

import { lab } from "./packages.js";

const INTERVAL = 3000; // ms between looks
const MAX_INTERVAL = 10 * 60_000; // ms; without the server extension there is nothing to see

export class StatusModel {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    /** @type {Set<() => boolean>} */
    this._watchers = new Set();
    /** @type {import("./server.js").Status | undefined} */
    this.status = undefined;
    /** The server's, as they were told last. @type {Record<string, string>} */
    this.settings = {};
    this.changed = new lab.signaling.Signal(this);
    this._interval = INTERVAL;
    this._lookLater();
  }

  /** Look at regular intervals while `isVisible()` and the page is visible. @param {() => boolean} isVisible */
  watch(isVisible) {
    this._watchers.add(isVisible);
  }

  /** Look now. */
  async refresh() {
    try {
      this._set(await this._server.status());
      this._interval = INTERVAL;
    } catch {
      this._interval = Math.min(2 * this._interval, MAX_INTERVAL);
      this._set(undefined); // the server extension is disabled, or Jupyter is gone
    }
  }

  /** Start, stop or restart MLflow. @param {"start"|"stop"|"restart"} what */
  async control(what) {
    this._set(await this._server.control(what));
  }

  _lookLater() {
    setTimeout(async () => {
      if (this._isWatched()) {
        await this.refresh();
      }
      this._lookLater();
    }, this._interval);
  }

  _isWatched() {
    return !document.hidden && [...this._watchers].some((isVisible) => isVisible());
  }

  /** @param {import("./server.js").Status | undefined} status */
  _set(status) {
    const before = JSON.stringify(this.status);
    this.status = status;
    this.settings = status?.settings ?? this.settings;
    if (JSON.stringify(status) !== before) {
      this.changed.emit(undefined);
    }
  }
}
