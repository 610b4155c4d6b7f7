// A row of the sidebar's trees, of one height: what it names, what can be done with it, what is below it.

import { element, iconButton, setText } from "./elements.js";

/** @typedef {{text: string, label?: string, title?: string, value?: string, age?: string, status?: string,
 *   isBest?: boolean, isSelected?: boolean, isLeaf?: boolean}} Shown `label`: what a screen reader says
 */

export class Row {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {{kind: string, describe: (data: any) => Shown, list?: any, lead?: HTMLElement[],
   *   activate?: () => any, tick?: () => void}} options `kind`: selects the commands of the row; `list`: what is
   *   below it; `lead`: stands before the name; `tick`: what Space does
   */
  constructor(actions, { kind, describe, list, lead = [], activate = () => this.toggle(), tick = activate }) {
    this.activate = activate;
    this.tick = tick;
    this._actions = actions;
    this._describe = describe;
    this.list = list;
    /** @type {any} */
    this.data = undefined;
    this.kind = kind;
    const span = (name, ...children) => element("span", { className: `jp-mlflow-${name}` }, ...children);
    this._name = span("name");
    this._value = span("value");
    this._age = span("age");
    const caret = span("caret");
    caret.onclick = (event) => (event.stopPropagation(), this.toggle());
    const tools = actions.tools(kind).map(({ icon, label, execute }) =>
      iconButton(icon, label, () => execute(this.target)));
    const props = { className: "jp-mlflow-row", role: "treeitem", tabIndex: -1, onclick: () => this.activate() };
    /** The element that has the focus. */
    this.head = element("div", props, caret, ...lead, this._name, this._value, this._age, span("tools", ...tools));
    this.head.dataset.kind = kind;
    Object.assign(this.head, { mlflowRow: this });
    this.node = element("li", { role: "none" }, this.head);
    if (list) {
      list.node.hidden = true;
      this.node.append(list.node);
    }
  }

  /** What the row's commands act on. */
  get target() {
    return { ...this.data, kind: this.kind, row: this };
  }

  get isOpen() {
    return Boolean(this.list && !this.list.node.hidden);
  }

  /** Open or close it; what is below it is loaded each time. @param {boolean} [isOpen] */
  async toggle(isOpen = !this.isOpen) {
    if (this.head.ariaExpanded && isOpen !== this.isOpen) {
      this.list.node.hidden = !isOpen;
      this.update(this.data);
      isOpen && (await this._actions.attempt(() => this.list.load()));
      this.update(this.data);
    }
  }

  /** @param {any} data */
  update(data) {
    this.data = data;
    const { text, value = "", age = "", ...more } = this._describe(data);
    const { title = text, label = [text, value, age].filter(Boolean).join(", "), status = "" } = more;
    setText(this._name, text);
    setText(this._value, value);
    setText(this._age, age);
    Object.assign(this.head, { title, ariaLabel: label, ariaSelected: String(Boolean(more.isSelected)) });
    this.head.ariaExpanded = this.list && !more.isLeaf ? String(this.isOpen) : null;
    this.head.dataset.status = status;
    this.head.classList.toggle("jp-mod-best", Boolean(more.isBest));
  }
}

/** The row that has this node. @returns {Row | undefined} */
export const rowAt = (node) => node?.closest(".jp-mlflow-row")?.mlflowRow;

/** Let the arrow keys move in the tree, as in JupyterLab's; Tab enters it once. @param {HTMLElement} tree */
export function addKeys(tree) {
  const heads = () => /** @type {any[]} */ ([...tree.querySelectorAll(".jp-mlflow-row")]).filter(
    ({ offsetParent }) => offsetParent,
  );
  tree.addEventListener("focusin", ({ target }) => {
    const row = rowAt(target);
    if (row) {
      heads().forEach((head) => (head.tabIndex = -1));
      row.head.tabIndex = 0;
    }
  });
  tree.addEventListener("keydown", (event) => {
    const row = rowAt(event.target);
    if (row?.head !== event.target || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) {
      return;
    }
    const all = heads();
    const place = all.indexOf(row.head);
    const parent = row.node.parentElement?.closest("li")?.querySelector(".jp-mlflow-row");
    const act = {
      ArrowDown: () => all[place + 1]?.focus(),
      ArrowUp: () => all[place - 1]?.focus(),
      Home: () => all[0].focus(),
      End: () => all.at(-1).focus(),
      ArrowRight: () => (row.isOpen ? all[place + 1]?.focus() : row.toggle(true)),
      ArrowLeft: () => (row.isOpen ? row.toggle(false) : /** @type {any} */ (parent)?.focus()),
      Enter: () => row.activate(),
      " ": () => row.tick(),
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
