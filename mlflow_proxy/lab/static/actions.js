// What the sidebar's items do: ask MLflow, open its pages, write into the notebook.

import { Comparison } from "./comparison.js";
import { button, element } from "./elements.js";

export class Actions {
  /**
   * @param {import("./extension.js").Parts} parts
   * @param {any} notebooks JupyterLab's INotebookTracker, if the application has one
   */
  constructor({ lab, app, server, trans }, notebooks) {
    this.lab = lab;
    this.trans = trans;
    this._app = app;
    this._server = server;
    this._notebooks = notebooks;
    this._lastInput = -Infinity;
    /** Names of experiments by their IDs. @type {Map<string, string>} */
    this.names = new Map();
    this.comparison = new Comparison(this);
    this.alert = element("p", { className: "jp-mlflow-alert", role: "alert" });
    notebooks?.currentChanged.connect(() => {
      document.querySelectorAll(".jp-mlflow-insert").forEach(this._enable);
    });
  }

  /** Note the user's input into `node`. @param {HTMLElement} node */
  follow(node) {
    const note = () => (this._lastInput = performance.now());
    for (const type of ["pointerdown", "keydown", "wheel"]) {
      node.addEventListener(type, note, { capture: true, passive: true });
    }
  }

  /**
   * Ask MLflow's REST API. It counts as use of MLflow at the time of the last input.
   *
   * @param {string} path
   * @param {object} [body]
   */
  ask(path, body) {
    return this._server.mlflow(path, body, (performance.now() - this._lastInput) / 1000);
  }

  /** Do what the user asked for, or show the error. @param {() => any} act */
  async attempt(act) {
    this.alert.textContent = "";
    try {
      await act();
    } catch (/** @type {any} */ error) {
      this.alert.textContent = error.message;
    }
  }

  /** Open a page of the dashboard. @param {string[]} names its path, in parts @param {string} [query] */
  open(names, query = "") {
    const path = `#/${names.map(encodeURIComponent).join("/")}${query}`;
    return this._app.commands.execute("mlflow:open", { path });
  }

  /** A button that inserts code below the active cell. @param {string} text @param {string} code */
  insertButton = (text, code) => {
    const made = button(text, () => this._insert(code), { className: "jp-mlflow-insert" });
    this._enable(made);
    return made;
  };

  _insert(code) {
    const { content, id } = this._notebooks.currentWidget;
    const { NotebookActions } = this.lab.notebook;
    NotebookActions.insertBelow(content);
    NotebookActions.changeCellType(content, "code");
    content.activeCell.model.sharedModel.setSource(code);
    this._app.shell.activateById(id);
  }

  _enable = (made) => {
    made.disabled = !this._notebooks?.currentWidget;
    made.title = made.disabled
      ? this.trans.__("Open a notebook to insert code")
      : this.trans.__("Insert code below the active cell");
  };
}
