// The state that the sidebar's views share. Whoever changes it says so, and the views are drawn anew.

import { Api } from "./api.js";
import { lab } from "./packages.js";
import { byTime } from "./sorting.js";

const HOUR = 3_600_000; // ms; what starts later than that was not used last
const KEPT = "jupyter-mlflow-proxy:sidebar"; // what is open and how it is sorted, over a reload
const MAX_KEPT = 100; // rows that were opened last

export class Store {
  /**
   * @param {import("./extension.js").Parts} parts
   * @param {Record<string, any>} services those of the application; another one may have fewer
   */
  constructor({ app, server, settings }, { notebooks, database }) {
    this.app = app;
    this.server = server;
    this.api = new Api(server);
    this.notebooks = notebooks;
    settings.then((found) => (this.settings = found));
    this.changed = new lab.signaling.Signal(this);
    /** Another object has the lists loaded anew: those that are followed, or all, as the user asked. */
    this.round = { isQuiet: false };
    /** Requests that go on. */
    this.pending = 0;
    /** What went wrong last. */
    this.alert = "";
    /** By their IDs, as MLflow has told of them last. @type {Map<string, import("./api.js").Run>} */
    this.runs = new Map();
    /** IDs of runs that have nested ones. @type {Set<string>} */
    this.parents = new Set();
    /** IDs of the runs that the user has ticked. @type {Set<string>} */
    this.ticked = new Set();
    /** The ID of the run whose details are shown. */
    this.shownRun = "";
    /** Shows a run's details. @type {(id: string) => any} */
    this.showRun = () => {};
    /** Names of experiments by their IDs. @type {Map<string, string>} */
    this.names = new Map();
    /** When experiments were used last, in ms, by their IDs. @type {Map<string, number>} */
    this.used = new Map();
    /** By the IDs of experiments. @type {Map<string, import("./sorting.js").Sorting>} */
    this.sortings = new Map();
    /** The rows that are open. @type {Set<string>} */
    this.open = new Set();
    /** What the commands of the context menu act on. @type {any} */
    this.target = {};
    /** @type {import("./items.js").ItemCommand[]} */
    this.commands = [];
    this._database = database;
  }

  /** Have the views drawn anew. */
  update() {
    this.changed.emit(undefined);
  }

  /** Have the lists loaded anew. @param {boolean} isQuiet those that are followed, and without errors */
  reload(isQuiet) {
    this.round = { isQuiet };
    this.update();
  }

  /** Take up what was open and how it was sorted. */
  async restore() {
    const { open = [], sortings = {} } = (await this._database?.fetch(KEPT)) ?? {};
    open.forEach((row) => this.open.add(row));
    Object.entries(sortings).forEach(([id, sorting]) => this.sortings.set(id, sorting));
  }

  /** Open or close a row. @param {string} row @param {boolean} [isOpen] */
  toggle(row, isOpen = !this.open.has(row)) {
    this.open.delete(row);
    isOpen && this.open.add(row);
    this._keep();
  }

  /** Close all rows. */
  collapse() {
    this.open.clear();
    this._keep();
  }

  /** How an experiment's runs are sorted. @param {string} experiment its ID */
  sorting(experiment) {
    return this.sortings.get(experiment) ?? byTime([]);
  }

  /** @param {string} experiment its ID @param {import("./sorting.js").Sorting} sorting */
  sort(experiment, sorting) {
    this.sortings.set(experiment, sorting);
    this._keep();
  }

  _keep() {
    const chosen = [...this.sortings].filter(([, { isChosen }]) => isChosen);
    void this._database?.save(KEPT, { open: [...this.open].slice(-MAX_KEPT), sortings: Object.fromEntries(chosen) });
    this.update();
  }

  /** Note what MLflow has told of runs. @param {import("./api.js").Run[]} runs */
  note(runs) {
    runs.forEach((run) => this.runs.set(run.id, run));
    this.use(runs);
  }

  /** Note when experiments were used. @param {{experiment: string, start: number}[]} uses runs or traces */
  use(uses) {
    for (const { experiment, start } of uses) {
      if (start < Date.now() + HOUR) {
        this.used.set(experiment, Math.max(start, this.used.get(experiment) ?? 0));
      }
    }
  }

  /** Tick a run, or no longer. @param {string} id */
  tick(id) {
    this.ticked.delete(id) || this.ticked.add(id);
    this.update();
  }

  /**
   * Do what the user asked for, or show the error.
   *
   * @param {() => any} act
   * @param {boolean} [isQuiet] the user did not ask: the next time may do
   */
  attempt = async (act, isQuiet = false) => {
    if (!isQuiet) this.alert = "";
    this.pending += 1;
    try {
      await act();
    } catch (/** @type {any} */ error) {
      if (!isQuiet) this.alert = error.message;
    }
    this.pending -= 1;
    this.update();
  };
}
