// The view of lists as a tree: rows of one height, with what can be done with them and what is below them.

import { h, lab, trans } from "./packages.js";

/** A button that shows one of JupyterLab's icons. */
export function IconButton({ icon, label, act }) {
  const onClick = (event) => (event.stopPropagation(), act());
  const props = { type: "button", className: "jp-mlflow-icon", title: label, "aria-label": label, onClick };
  return h("button", props, h(icon.react, { width: "16px", height: "16px" }));
}

/** A tree, which Tab enters once: at the row that had the focus last, or at the first one. */
export function Tree({ label, lists }) {
  const node = lab.react.useRef();
  const enterAt = (row) => row && rowsOf(node.current).forEach((each) => (each.tabIndex = each === row ? 0 : -1));
  lab.react.useEffect(() => {
    const rows = rowsOf(node.current);
    rows.some(({ tabIndex }) => tabIndex === 0) || enterAt(rows[0]);
  });
  const onFocus = ({ target }) => enterAt(target.closest(".jp-mlflow-row"));
  const props = { className: "jp-mlflow-tree", role: "tree", "aria-label": label, ref: node, onFocus };
  return h("div", props, h(Lists, { lists }));
}

/** Lists below each other, and what to say if all are empty. */
function Lists({ lists, depth = 0 }) {
  const isEmpty = lists.every(({ items }) => !items.size);
  const text = lists.every(({ isLoaded }) => isLoaded) ? lists.at(-1).none : trans.__("Loading…");
  const shown = lists.map((list, key) => h(List, { list, depth, key }));
  return [...shown, isEmpty && h("p", { key: "none" }, text)];
}

function List({ list, depth }) {
  const onClick = async ({ currentTarget }) => {
    const rows = currentTarget.closest("ul").getElementsByClassName("jp-mlflow-row");
    const { length } = rows;
    await list.store.attempt(() => list.more());
    requestAnimationFrame(() => rows[length]?.focus()); // the button may be gone
  };
  const more = { type: "button", className: "jp-mlflow-more", role: "treeitem", onClick }; // a tree owns nothing else
  return h(
    "ul",
    { role: "group" },
    list.rows.map((row) => h(RowView, { row, depth, key: row.data.id })),
    list.token && h("li", { role: "none" }, h("button", more, trans.__("Show more"))),
  );
}

function RowView({ row, depth }) {
  const { store, kind } = row;
  const { text, value = "", age = "", lead, ...more } = row.shown;
  const { title = text, label = [text, value, age].filter(Boolean).join(", ") } = more;
  const span = (name, ...children) => h("span", { className: `jp-mlflow-${name}` }, ...children);
  const onCaret = (event) => (event.stopPropagation(), row.toggle());
  const tools = store.tools(kind).map(({ name, icon, label, execute }) =>
    h(IconButton, { icon, label, act: () => execute(row.target), key: name }));
  const note = () => (store.meant = row);
  const props = {
    className: `jp-mlflow-row${more.isBest ? " jp-mod-best" : ""}`,
    role: "treeitem",
    tabIndex: -1,
    style: { "--jp-mlflow-depth": depth },
    title,
    "aria-label": label,
    "aria-selected": Boolean(more.isSelected),
    "aria-expanded": row.canOpen ? row.isOpen : undefined,
    "data-kind": kind,
    "data-status": more.status,
    onClick: () => row.activate(),
    onContextMenu: note,
    onFocus: note,
    onKeyDown: (event) => press(event, row),
  };
  const caret = h("span", { className: "jp-mlflow-caret", onClick: onCaret });
  const head = h("div", props, caret, lead, span("name", text), span("value", value), span("age", age), span("tools", tools));
  return h("li", { role: "none" }, head, row.isOpen && h(Lists, { lists: row.lists, depth: depth + 1 }));
}

/** Let keys move and act in the tree, as in JupyterLab's. @param {any} event @param {import("./list.js").Row} row */
function press(event, row) {
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
    ArrowRight: () => (row.isOpen ? rows[place + 1]?.focus() : row.toggle(true)),
    ArrowLeft: () => (row.isOpen ? row.toggle(false) : parent?.focus()),
    Enter: () => row.activate(),
    " ": () => row.tick(),
  }[event.key];
  if (act) {
    event.preventDefault();
    event.stopPropagation();
    act();
  }
}

/** @returns {HTMLElement[]} */
const rowsOf = (tree) => [...tree.querySelectorAll(".jp-mlflow-row")];
