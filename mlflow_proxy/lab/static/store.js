// The state that the sidebar's views show. Whoever changes it says so, and the views are drawn anew.

import { Api } from "./api.js";
import { lab } from "./packages.js";

const HOUR = 3_600_000; // ms; what starts later than that was not used last

export class Store {
  /**
   * @param {import("./extension.js").Parts} parts
   * @param {Record<string, any>} services those of the application; another one may have fewer
   */
  constructor({ app, server, settings }, { notebooks, database }) {
    this.app = app;
    this.api = new Api(server);
    this.notebooks = notebooks;
    this.database = database;
    settings.then((found) => (this.settings = found));
    this.changed = new lab.signaling.Signal(this);
    /** What went wrong last. */
    this.alert = "";
    /** By their IDs, as MLflow has told of them last. @type {Map<string, import("./api.js").Run>} */
    this.runs = new Map();
    /** IDs of runs that have nested ones. @type {Set<string>} */
    this.parents = new Set();
    /** IDs of the runs that the user has ticked. @type {Set<string>} */
    this.ticked = new Set();
    /** Names of experiments by their IDs. @type {Map<string, string>} */
    this.names = new Map();
    /** When experiments were used last, in ms, by their IDs. @type {Map<string, number>} */
    this.used = new Map();
    /** The ID of the run whose details are shown. */
    this.shownRun = "";
    /** Shows a run's details. @type {(id: string) => any} */
    this.showRun = () => {};
    /** The row that a command of the context menu acts on. @type {import("./list.js").Row | undefined} */
    this.meant = undefined;
    /** @type {import("./items.js").ItemCommand[]} */
    this.commands = [];
  }

  /** Have the views drawn anew. */
  update() {
    this.changed.emit(undefined);
  }

  /** The commands that a row shows as icons. @param {string} kind the row's */
  tools(kind) {
    return this.commands.filter(({ kinds, isTool }) => isTool && kinds.includes(kind));
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

  /** @param {string} id a run's */
  tick(id) {
    this.ticked.delete(id) || this.ticked.add(id);
    this.update();
  }

  /** Do what the user asked for, or show the error. @param {() => any} act */
  attempt = async (act) => {
    this.alert = "";
    try {
      await act();
    } catch (/** @type {any} */ error) {
      this.alert = error.message;
    }
    this.update();
  };
}
