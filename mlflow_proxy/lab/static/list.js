// A list that grows by pages, and what is loaded when the user opens it.

import { button, element } from "./elements.js";

/** @typedef {{node: HTMLElement, update: (data: any) => void, [more: string]: any}} Item */
/** @typedef {{found: [string, any][], token?: string}} Page data by its keys, and the next page's token */

export class PagedList {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {{none: string, search: (token?: string) => Promise<Page>, make: (data: any) => Item}} options
   *   `none`: what it says when it is empty
   */
  constructor(actions, { none, search, make }) {
    /** @type {Map<string, Item>} */
    this.items = new Map();
    this._search = search;
    this._make = make;
    this._list = element("ul");
    this._none = element("p", { textContent: none, hidden: true });
    const next = () => actions.attempt(() => this._next());
    this._more = button(actions.trans.__("Show more"), next, { hidden: true });
    this.node = element("div", {}, this._list, this._none, this._more);
  }

  /** Show the first page. Items that stay keep what the user opened and ticked. */
  async load() {
    const search = (this._latest = this._search());
    const page = await search;
    if (search === this._latest) {
      const found = new Set(page.found.map(([key]) => key));
      this.items = new Map([...this.items].filter(([key]) => found.has(key)));
      this._list.replaceChildren();
      this._append(page);
    }
  }

  /** Update items in place and put new ones on top. @param {[string, any][]} found */
  merge(found) {
    this._put([...found].reverse(), "prepend");
    this._none.hidden = this.items.size > 0;
  }

  async _next() {
    const count = this._list.children.length;
    this._append(await this._search(this._token));
    const first = /** @type {HTMLElement?} */ (this._list.children[count]?.querySelector("summary, button"));
    first?.focus(); // the button may be gone
  }

  /** @param {Page} page */
  _append({ found, token }) {
    this._put(found, "append");
    this._token = token;
    this._more.hidden = !token;
    this._none.hidden = this.items.size > 0;
  }

  /** @param {[string, any][]} found @param {"append"|"prepend"} where */
  _put(found, where) {
    for (const [key, data] of found) {
      const item = this.items.get(key) ?? this._make(data);
      this.items.set(key, item);
      item.update(data);
      if (item.node.parentNode !== this._list) {
        this._list[where](item.node);
      }
    }
  }
}

/** An item with a list of its own, which is loaded when the user opens it. */
export class Branch {
  /** @param {import("./actions.js").Actions} actions @param {"div"|"li"} tag @param {PagedList} list */
  constructor(actions, tag, list, ...extras) {
    this.list = list;
    this._name = element("span", { className: "jp-mlflow-name" });
    const ontoggle = () => this.details.open && actions.attempt(() => list.load());
    this.details = element("details", { ontoggle }, element("summary", {}, this._name), ...extras, list.node);
    this.node = element(tag, {}, this.details);
  }

  /** @param {{name: string, [more: string]: any}} data */
  update(data) {
    this.data = data;
    this._name.textContent = data.name;
  }
}
