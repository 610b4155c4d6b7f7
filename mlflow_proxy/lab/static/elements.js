// Elements of the sidebar. Names and values out of MLflow are set as text, never as markup.

/**
 * Make an element.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [props] properties, or attributes where it has no such property
 * @param {...(Node|string)} children
 */
export function element(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name in node) {
      node[name] = value;
    } else {
      node.setAttribute(name, value);
    }
  }
  node.append(...children);
  return node;
}

/** Make a button. @param {string} textContent @param {(event: any) => any} onclick @param {object} [props] */
export const button = (textContent, onclick, props) =>
  element("button", { type: "button", textContent, onclick, ...props });

/** Make a table of named values; none without rows. @param {string} caption @param {any[][]} rows */
export function table(caption, rows) {
  const cell = (value, index) =>
    index ? element("td", {}, element("div", {}, value)) : element("th", { scope: "row" }, value);
  const lines = rows.map((row) => element("tr", {}, ...row.map(cell)));
  return rows.length ? [element("table", {}, element("caption", {}, caption), ...lines)] : [];
}
