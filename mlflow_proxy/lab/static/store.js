// What the parts share: the application, and the state that the sidebar shows, drawn anew when it has changed.

import { Api } from "./api.js";
import { Catalog } from "./experiments.js";
import { lab } from "./packages.js";
import { Server } from "./server.js";
import { byTime } from "./sorting.js";
import { StatusModel } from "./status.js";

const HOUR = 3_600_000; // ms; what starts later than that was not used last
const KEPT = "jupyter-mlflow-proxy:sidebar"; // what is open and how it is sorted, over a reload
const MAX_KEPT = 100; // rows that were opened last

export class Store {
  /** @param {any} app @param {Record<string, any>} services of the application; another one may have fewer */
  constructor(app, services, icon) {
    this.app = app;
    this.services = services;
    this.icon = icon;
    /** The user's, once they are loaded. @type {any} */
    this.settings = undefined;
    this.server = new Server();
    this.model = new StatusModel(this.server);
    this.api = new Api(this.server);
    this.catalog = new Catalog(this);
    this.changed = new lab.signaling.Signal(this);
    this.round = { isQuiet: false }; // another object has lists loaded anew, see `reload`
    this.pending = 0; // requests that go on
    this.alert = ""; // what went wrong last
    this.hasLoaded = false; // MLflow has been ready: there is something to see
    this.searched = ""; // the text that the user searches
    this.results = undefined; // what a search has found
    this.shownRun = ""; // the ID of the run whose details are shown
    this.showRun = (id) => void id;
    this.target = {}; // what the commands of the context menu act on
    this.ticked = new Set(); // IDs of runs
    this.open = new Set(); // rows, each its kind and ID
    // What MLflow has told of last, by its ID.
    this.runs = new Map();
    this.parents = new Set(); // runs that have nested ones
    this.names = new Map(); // of experiments
    this.used = new Map(); // when experiments were, in ms
    this.sortings = new Map(); // of the runs of experiments
    /** @type {import("./items.js").ItemCommand[]} */
    this.commands = [];
  }

  get isReady() {
    return this.model.status?.state === "ready";
  }

  /** Have the views drawn anew. */
  update() {
    this.changed.emit(undefined);
  }

  /** Have lists loaded anew. @param {boolean} isQuiet only those that are followed, and without errors */
  reload(isQuiet) {
    this.round = { isQuiet };
    this.update();
  }

  /** Take up what was open and how it was sorted. */
  async restore() {
    const { open = [], sortings = {} } = (await this.services.database?.fetch(KEPT)) ?? {};
    open.forEach((row) => this.open.add(row));
    Object.entries(sortings).forEach(([id, sorting]) => this.sortings.set(id, sorting));
  }

  /** Keep what is open and how it is sorted. */
  keep() {
    const chosen = [...this.sortings].filter(([, { isChosen }]) => isChosen);
    const kept = { open: [...this.open].slice(-MAX_KEPT), sortings: Object.fromEntries(chosen) };
    void this.services.database?.save(KEPT, kept);
    this.update();
  }

  /** Open or close a row. @param {string} row @param {boolean} [isOpen] */
  toggle(row, isOpen = !this.open.has(row)) {
    this.open.delete(row);
    isOpen && this.open.add(row);
    this.keep();
  }

  /** How an experiment's runs are sorted. @returns {import("./sorting.js").Sorting} */
  sorting(experiment) {
    return this.sortings.get(experiment) ?? byTime([]);
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

  /** Do what the user asked for, or show the error. @param {() => any} act @param {boolean} [isQuiet] not asked for */
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
