// The view of lists as a tree: rows of one height, with what can be done with them and what is below them.

import { h, lab, trans } from "./packages.js";

/** @typedef {{kind: string, text: string, value?: string, age?: string, facts?: any[], status?: string,
 *   isBest?: boolean, isSelected?: boolean, lead?: any, below?: false | ((depth: number) => any),
 *   activate?: () => any, tick?: () => any}} RowProps `kind`: selects the row's commands; `facts`: all that is to be
 *   read or heard of it; `lead`: stands before the text; `below`: draws what is below it, if something is;
 *   `activate`: what a click does instead of opening it; `tick`: what the space bar does
 */

/** A button that shows one of JupyterLab's icons. */
export function IconButton({ icon, label, act }) {
  const onClick = (event) => (event.stopPropagation(), act());
  const props = { type: "button", className: "jp-mlflow-icon", title: label, "aria-label": label, onClick };
  return h("button", props, h(icon.react, { tag: "span", width: "16px", height: "16px" }));
}

/** A tree, which Tab enters once: at the row that had the focus last, or at the first one. */
export function Tree({ label, children }) {
  const node = lab.react.useRef();
  const enterAt = (row) => row && rowsOf(node.current).forEach((each) => (each.tabIndex = each === row ? 0 : -1));
  lab.react.useEffect(() => {
    const rows = rowsOf(node.current);
    rows.some(({ tabIndex }) => tabIndex === 0) || enterAt(rows[0]);
  });
  const onFocus = ({ target }) => enterAt(target.closest(".jp-mlflow-row"));
  return h("div", { className: "jp-mlflow-tree", role: "tree", "aria-label": label, ref: node, onFocus }, children);
}

/**
 * @param {{store: import("./store.js").Store, pages: any, none?: string, depth?: number,
 *   row: (data: any) => RowProps}} props `pages`: see pages.js; `none`: what it says when it is empty
 */
export function List({ store, pages, none, depth = 0, row }) {
  const { found, token, isLoaded, error, more } = pages;
  const onClick = async ({ currentTarget }) => {
    const rows = currentTarget.closest("ul").getElementsByClassName("jp-mlflow-row");
    const { length } = rows;
    await more();
    requestAnimationFrame(() => rows[length]?.focus()); // the button may be gone
  };
  const button = { type: "button", className: "jp-mlflow-more", role: "treeitem", onClick }; // a tree owns nothing else
  return [
    h(
      "ul",
      { role: "group", key: "list" },
      found.map((data) => h(Row, { ...row(data), store, data, depth, key: data.id })),
      token && h("li", { role: "none" }, h("button", button, trans.__("Show more"))),
    ),
    error && h("p", { key: "error", className: "jp-mlflow-alert", role: "alert" }, error),
    none && !error && !found.length && h("p", { key: "none" }, isLoaded ? none : trans.__("Loading…")),
  ];
}

/** @param {RowProps & {store: import("./store.js").Store, depth: number, data: any}} props */
function Row({ store, depth, kind, data, text, value = "", age = "", lead, below, ...more }) {
  const facts = (more.facts ?? [text, value, age]).filter(Boolean);
  const id = `${kind} ${data.id}`;
  const isOpen = Boolean(below) && store.open.has(id);
  const toggle = (open = !isOpen) => below && store.toggle(id, open);
  const { activate = toggle, tick = activate } = more;
  const target = { ...data, kind };
  const note = () => (store.target = target);
  const acts = { isOpen, toggle, activate: () => activate(), tick: () => tick() };
  const props = {
    className: `jp-mlflow-row${more.isBest ? " jp-mod-best" : ""}`,
    role: "treeitem",
    tabIndex: -1,
    style: { "--jp-mlflow-depth": depth },
    title: facts.join("\n"),
    "aria-label": facts.join(", "),
    "aria-selected": Boolean(more.isSelected),
    "aria-expanded": below ? isOpen : undefined,
    "data-kind": kind,
    "data-status": more.status,
    onClick: acts.activate,
    onContextMenu: note,
    onFocus: note,
    onKeyDown: (event) => press(event, acts),
  };
  const span = (name, ...children) => h("span", { className: `jp-mlflow-${name}` }, ...children);
  const caret = h("span", { className: "jp-mlflow-caret", onClick: (event) => (event.stopPropagation(), toggle()) });
  const tools = store.commands.filter(({ kinds, isTool }) => isTool && kinds.includes(kind));
  const buttons = tools.map(({ name, icon, label, execute }) =>
    h(IconButton, { icon, label, act: () => execute(target), key: name }));
  const texts = [span("name", text), span("value", value), span("age", age)];
  const head = h("div", props, caret, lead, ...texts, span("tools", buttons));
  return h("li", { role: "none" }, head, isOpen && below && below(depth + 1));
}

/** Let keys move and act in the tree, as in JupyterLab's. */
function press(event, { isOpen, toggle, activate, tick }) {
  const head = event.currentTarget;
  if (event.target !== head || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) {
    return;
  }
  const rows = rowsOf(head.closest("[role=tree]"));
  const place = rows.indexOf(head);
  const parent = head.parentElement.parentElement.closest("li")?.firstElementChild;
  const act = {
    ArrowDown: () => rows[place + 1]?.focus(),
    ArrowUp: () => rows[place - 1]?.focus(),
    Home: () => rows[0].focus(),
    End: () => rows.at(-1)?.focus(),
    ArrowRight: () => (isOpen ? rows[place + 1]?.focus() : toggle(true)),
    ArrowLeft: () => (isOpen ? toggle(false) : parent?.focus()),
    Enter: activate,
    " ": tick,
  }[event.key];
  if (act) {
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

/** @returns {HTMLElement[]} */
const rowsOf = (tree) => [...tree.querySelectorAll(".jp-mlflow-row")];
