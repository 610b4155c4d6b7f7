// What the user has open, and how the runs of each experiment are sorted, kept over a reload.

const ID = "jupyter-mlflow-proxy:sidebar";
const MAX_KEPT = 200; // sortings

export class Memory {
  /** @param {any} database JupyterLab's IStateDB, if the application has one */
  constructor(database) {
    this._database = database;
    /** IDs of experiments. @type {Set<string>} */
    this.open = new Set();
    /** @type {Map<string, import("./sorting.js").Sorting>} */
    this.sortings = new Map();
  }

  async load() {
    const { open = [], sortings = [] } = (await this._database?.fetch(ID)) ?? {};
    this.open = new Set(open);
    this.sortings = new Map(sortings);
  }

  /** @param {string} id @param {boolean} isOpen */
  setOpen(id, isOpen) {
    this.open[isOpen ? "add" : "delete"](id);
    this._save();
  }

  /** @param {string} id @param {import("./sorting.js").Sorting} sorting */
  setSorting(id, { best, ...sorting }) {
    this.sortings.delete(id);
    this.sortings.set(id, sorting);
    this._save();
  }

  _save() {
    const sortings = [...this.sortings].slice(-MAX_KEPT);
    void this._database?.save(ID, { open: [...this.open], sortings });
  }
}
