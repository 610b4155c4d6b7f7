// A row of the sidebar's trees, of one height: what it names, what can be done with it, what is below it.

import { element, iconButton, setText } from "./elements.js";

/** @typedef {{text: string, label?: string, title?: string, value?: string, age?: string, status?: string,
 *   isBest?: boolean}} Shown `label`: what a screen reader says
 */

export class Row {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {{kind: string, list?: import("./list.js").PagedList, target: () => Record<string, any>,
   *   activate?: () => any, buttons?: [any, string, () => any][], lead?: HTMLElement[]}} options
   *   `kind`: selects the items of the context menu, which get the `target`; `buttons`: shown while the
   *   pointer or the focus is on the row
   */
  constructor(actions, { kind, list, target, activate, buttons = [], lead = [] }) {
    this._actions = actions;
    this.list = list;
    this.activate = activate ?? (() => this.toggle());
    this._name = element("span", { className: "jp-mlflow-name" });
    this._value = element("span", { className: "jp-mlflow-value" });
    this._age = element("span", { className: "jp-mlflow-age" });
    this._caret = element("span", { className: "jp-mlflow-caret" });
    this._caret.onclick = (event) => (event.stopPropagation(), this.toggle());
    const made = buttons.map(([icon, title, act]) => iconButton(icon, title, act));
    const tools = element("span", { className: "jp-mlflow-tools" }, ...made);
    /** The element that has the focus. */
    this.head = element(
      "div",
      { className: "jp-mlflow-row", role: "treeitem", tabIndex: -1, onclick: () => this.activate() },
      this._caret, ...lead, this._name, this._value, this._age, tools,
    );
    this.head.dataset.kind = kind;
    Object.assign(this.head, { mlflowRow: this });
    this.target = target;
    /** What Space does. @type {(() => void) | undefined} */
    this.tick = undefined;
    /** @type {any} */
    this.data = undefined;
    this.node = element("li", { role: "none" }, this.head);
    if (list) {
      list.node.hidden = true;
      this.node.append(list.node);
    }
    this.setExpandable(Boolean(list));
  }

  /** @param {boolean} isExpandable */
  setExpandable(isExpandable) {
    this._isExpandable = isExpandable;
    if (isExpandable) {
      this.head.ariaExpanded = String(this.isOpen);
    } else {
      this.head.removeAttribute("aria-expanded");
    }
  }

  get isOpen() {
    return this.list ? !this.list.node.hidden : false;
  }

  /** Open or close it; what is below it is loaded each time. @param {boolean} [isOpen] */
  async toggle(isOpen = !this.isOpen) {
    if (!this.list || !this._isExpandable || isOpen === this.isOpen) {
      return;
    }
    this.list.node.hidden = !isOpen;
    this.head.ariaExpanded = String(isOpen);
    if (isOpen) {
      const { list } = this;
      await this._actions.attempt(() => list.load());
    }
  }

  /** @param {Shown} shown */
  show({ text, label = "", title = text, value = "", age = "", status = "", isBest = false }) {
    setText(this._name, text);
    setText(this._value, value);
    setText(this._age, age);
    this.head.title = title;
    this.head.ariaLabel = label || [text, value, age].filter(Boolean).join(", ");
    this.head.dataset.status = status;
    this.head.classList.toggle("jp-mod-best", isBest);
  }
}

/** @param {Element?} node @returns {Row | undefined} the row that has this node */
export const rowAt = (node) => /** @type {any} */ (node?.closest(".jp-mlflow-row"))?.mlflowRow;

/** Let the arrow keys move in the tree, as in JupyterLab's; Tab enters it once. @param {HTMLElement} tree */
export function addKeys(tree) {
  const heads = () => /** @type {HTMLElement[]} */ (
    [...tree.querySelectorAll(".jp-mlflow-row")].filter((head) => head.checkVisibility?.() ?? true)
  );
  tree.addEventListener("focusin", ({ target }) => {
    const head = /** @type {HTMLElement?} */ (/** @type {HTMLElement} */ (target).closest(".jp-mlflow-row"));
    if (head) {
      tree.querySelectorAll("[role=treeitem][tabindex='0']").forEach((other) => (/** @type {any} */ (other).tabIndex = -1));
      head.tabIndex = 0;
    }
  });
  tree.addEventListener("keydown", (event) => {
    const head = /** @type {HTMLElement} */ (event.target);
    const row = head.role === "treeitem" && rowAt(head);
    if (!row || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) {
      return;
    }
    const all = heads();
    const place = all.indexOf(head);
    const parent = head.parentElement?.parentElement?.closest("li")?.querySelector(".jp-mlflow-row");
    const act = {
      ArrowDown: () => all[place + 1]?.focus(),
      ArrowUp: () => all[place - 1]?.focus(),
      Home: () => all[0].focus(),
      End: () => all.at(-1)?.focus(),
      ArrowRight: () => (row.isOpen ? all[place + 1]?.focus() : row.toggle(true)),
      ArrowLeft: () => (row.isOpen ? row.toggle(false) : /** @type {any} */ (parent)?.focus()),
      Enter: () => row.activate(),
      " ": () => row.tick ? row.tick() : row.activate(),
    }[event.key];
    if (act) {
      event.preventDefault();
      event.stopPropagation();
      act();
    }
  });
}

/** Let Tab enter the tree at its first row, unless it has been entered. @param {HTMLElement} tree */
export function keepReachable(tree) {
  const first = /** @type {HTMLElement?} */ (tree.querySelector(".jp-mlflow-row"));
  if (first && !tree.querySelector(".jp-mlflow-row[tabindex='0']")) {
    first.tabIndex = 0;
  }
}
