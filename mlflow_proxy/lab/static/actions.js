// What the sidebar's parts share, and what its items do: ask MLflow, open its pages, write into the notebook.

import { Api } from "./api.js";
import { element } from "./elements.js";
import { itemCommands } from "./items.js";
import { keepReachable } from "./row.js";
import * as snippets from "./snippets.js";
import { Ticked } from "./ticked.js";
import { Watch } from "./watch.js";

export class Actions {
  /**
   * @param {import("./extension.js").Parts} parts
   * @param {any} notebooks JupyterLab's INotebookTracker, if the application has one
   * @param {any} database JupyterLab's IStateDB, if the application has one
   */
  constructor(parts, notebooks, database) {
    const { lab, app, server, trans, settings } = parts;
    this.lab = lab;
    this.app = app;
    this.trans = trans;
    this.database = database;
    this.api = new Api(server);
    this._notebooks = notebooks;
    settings.then((found) => (this._settings = found));
    /** Names of experiments by their IDs. @type {Map<string, string>} */
    this.names = new Map();
    /** When experiments were used last, in ms, by their IDs. @type {Map<string, number>} */
    this.used = new Map();
    /** IDs of runs that have nested ones. @type {Set<string>} */
    this.parents = new Set();
    /** The ID of the run whose details are shown. */
    this.shownRun = "";
    /** Shows a run's details. @type {(id: string) => any} */
    this.showRun = () => {};
    /** The row that a command of the context menu acts on. @type {import("./row.js").Row | undefined} */
    this.meant = undefined;
    /** Emitted when other runs are ticked or shown. */
    this.changed = new lab.signaling.Signal(this);
    this.commands = itemCommands(this);
    this.ticked = new Ticked(this);
    this.watch = new Watch(this.api, parts, (run) => this.showRun(run.id));
    this.alert = element("p", { className: "jp-mlflow-alert", role: "alert" });
    /** The trees whose rows may have changed. @type {HTMLElement[]} */
    this.trees = [];
  }

  /** @returns {any} what a command of the context menu acts on */
  target = () => this.meant?.target ?? {};

  /** The commands that a row shows as icons. @param {string} kind the row's */
  tools(kind) {
    return this.commands.filter(({ kinds, icon }) => icon && kinds.includes(kind));
  }

  /** To be called when rows have come or gone. */
  arranged() {
    this.trees.forEach(keepReachable);
  }

  /** Do what the user asked for, or show the error. @param {() => any} act */
  attempt = async (act) => {
    this.alert.textContent = "";
    try {
      await act();
    } catch (/** @type {any} */ error) {
      this.alert.textContent = error.message;
    }
  };

  /** Open a page of the dashboard. @param {string[]} names its path, in parts @param {string} [query] */
  open(names, query = "") {
    const path = `#/${names.map(encodeURIComponent).join("/")}${query}`;
    const isInBrowser = this._settings?.user.openLinks === "browser"; // as the user has chosen for all links
    return this.app.commands.execute(isInBrowser ? "mlflow:open-in-browser" : "mlflow:open", { path });
  }

  /** Open what a row stands for in the dashboard. */
  openItem = ({ kind, id, experiment, name }) => {
    const path = {
      experiment: ["experiments", id],
      run: ["experiments", experiment, "runs", id],
      trace: ["experiments", experiment, "traces"],
      model: ["models", name],
      "model-version": ["models", name, "versions", id],
    }[kind] ?? ["prompts", name];
    return this.open(path, kind === "trace" && id ? `?selectedEvaluationId=${encodeURIComponent(id)}` : "");
  };

  get canInsert() {
    return Boolean(this._notebooks?.currentWidget);
  }

  /** Insert code below the active cell. @param {string} what see `_code` @param {any} target */
  async insert(what, target) {
    if (this.canInsert) {
      await this.attempt(async () => this._write(await this._code(what, target)));
    } else {
      const text = this.trans.__("Open a notebook to insert code");
      this.lab.apputils.Notification.info(text, { autoClose: 3000 });
    }
  }

  /** @param {string} what @param {any} target */
  async _code(what, { id, ids, experiments, uri, kind }) {
    switch (what) {
      case "load-run":
        return snippets.loadRun(id);
      case "continue":
        return snippets.continueRun(id);
      case "download":
        return snippets.downloadArtifacts(id);
      case "dataframe":
        return snippets.searchRuns(ids, experiments);
      case "load-prompt":
        return snippets.loadPrompt(uri);
    }
    const model = kind === "run" ? snippets.modelOf(await this.api.run(id)) : uri;
    if (!model) {
      throw new Error(this.trans.__("This run has logged no model"));
    }
    return what === "serve" ? snippets.serveModel(model) : snippets.loadModel(model);
  }

  _write(code) {
    const { content, id } = this._notebooks.currentWidget;
    const { NotebookActions } = this.lab.notebook;
    NotebookActions.insertBelow(content);
    NotebookActions.changeCellType(content, "code");
    content.activeCell.model.sharedModel.setSource(code);
    this.app.shell.activateById(id);
  }

  /** @param {string} text @param {string} message */
  copy(text, message) {
    this.lab.apputils.Clipboard.copyToSystem(text);
    this.lab.apputils.Notification.success(message, { autoClose: 2000 });
  }
}
