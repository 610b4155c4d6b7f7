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

/** Make a button of one of JupyterLab's icons. @param {any} icon @param {string} title @param {() => any} onclick */
export function iconButton(icon, title, onclick) {
  const made = button("", (event) => (event.stopPropagation(), onclick()), {
    className: "jp-mlflow-icon",
    title,
    ariaLabel: title,
  });
  icon.element({ container: made, height: "16px", width: "16px" });
  return made;
}

/** Set a text if it has changed. @param {HTMLElement} node @param {string} text */
export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/**
 * Put nodes into `parent` in this order. What is in its place stays as it is, with its focus and the
 * reader's place in the list; a focused node that has to move keeps its focus.
 *
 * @param {HTMLElement} parent @param {HTMLElement[]} nodes
 */
export function arrange(parent, nodes) {
  const focused = /** @type {HTMLElement?} */ (document.activeElement);
  const kept = new Set(nodes);
  for (const child of [...parent.children]) {
    kept.has(/** @type {HTMLElement} */ (child)) || child.remove();
  }
  let place = parent.firstElementChild;
  for (const node of nodes) {
    if (node === place) {
      place = place.nextElementSibling;
    } else {
      parent.insertBefore(node, place);
    }
  }
  if (focused !== document.activeElement && parent.contains(focused)) {
    focused?.focus({ preventScroll: true });
  }
}
