// A list that grows by pages. A refresh keeps the elements of what stays.

import { arrange, button, element } from "./elements.js";

/** @typedef {{node: HTMLElement, data: any, update: (data: any) => void, [more: string]: any}} Item */
/** @typedef {import("./api.js").Page} Page */

export class PagedList {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {{none: string, search: (token?: string) => Promise<Page>, key: (data: any) => string,
   *   make: (data: any) => Item}} options `none`: what it says when it is empty
   */
  constructor(actions, { none, search, key, make }) {
    this.actions = actions;
    /** @type {Map<string, Item>} */
    this.items = new Map();
    this._search = search;
    this._key = key;
    this._make = make;
    this._list = element("ul", { role: "group" });
    this._none = element("p", { textContent: none, hidden: true });
    const next = () => actions.attempt(() => this._next());
    this._more = button(actions.trans.__("Show more"), next, {
      className: "jp-mlflow-more",
      role: "treeitem", // a tree may own nothing else
      hidden: true,
    });
    this.node = element("div", {}, this._list, this._none, this._more);
  }

  /** Show the first page. Items that stay keep what the user opened and ticked. */
  async load() {
    const search = (this._latest = this._search());
    const page = await search;
    if (search === this._latest) {
      this.show(page.found, page.token);
    }
  }

  /** Update items in place and put new ones on top. @param {any[]} found */
  merge(found) {
    const isNew = (data) => !this.items.has(this._key(data));
    const data = [...found.filter(isNew), ...[...this.items.values()].map((item) => item.data)];
    const updates = new Map(found.map((each) => [this._key(each), each]));
    this.show(data.map((each) => updates.get(this._key(each)) ?? each), this._token);
  }

  async _next() {
    const shown = [...this.items.values()];
    const { found, token } = await this._search(this._token);
    this.show([...shown.map(({ data }) => data), ...found], token);
    const first = [...this.items.values()][shown.length];
    first?.head?.focus(); // the button may be gone
  }

  /** Show these, in this order. @param {any[]} found @param {string} [token] the next page's */
  show(found, token) {
    const items = new Map();
    for (const data of found) {
      const key = this._key(data);
      const item = this.items.get(key) ?? this._make(data);
      item.data = data;
      items.set(key, item);
    }
    this.items = items;
    arrange(this._list, [...items.values()].map(({ node }) => node));
    for (const item of items.values()) {
      this._update(item);
    }
    this._token = token;
    this._more.hidden = !token;
    this._none.hidden = items.size > 0;
    this.actions.arranged();
  }

  /** Each item stands for itself: one that cannot be shown does not hide the others. @param {Item} item */
  _update(item) {
    try {
      item.update(item.data);
    } catch (error) {
      console.error(error);
    }
  }
}
