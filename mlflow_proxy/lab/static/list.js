// A list that grows by pages. A refresh keeps the elements of what stays.

import { arrange, button, element } from "./elements.js";

/** @typedef {import("./row.js").Row} Row @typedef {import("./api.js").Page} Page */

export class PagedList {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {{none: string, search: (token?: string) => Promise<Page>, make: (data: any) => Row}} options
   *   `none`: what it says when it is empty
   */
  constructor(actions, { none, search, make }) {
    this.actions = actions;
    /** By the IDs of their data. @type {Map<string, Row>} */
    this.items = new Map();
    this._search = search;
    this._make = make;
    this._list = element("ul", { role: "group" });
    this._none = element("p", { textContent: none && actions.trans.__("Loading…") });
    this._noneText = none;
    const next = () => actions.attempt(() => this._next());
    const role = "treeitem"; // a tree may own nothing else
    this._more = button(actions.trans.__("Show more"), next, { className: "jp-mlflow-more", role, hidden: true });
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
    const updates = new Map(found.map((data) => [data.id, data]));
    const kept = [...this.items.values()].map(({ data }) => updates.get(data.id) ?? data);
    this.show([...found.filter(({ id }) => !this.items.has(id)), ...kept], this._token);
  }

  async _next() {
    const shown = [...this.items.values()].map(({ data }) => data);
    const { found, token } = await this._search(this._token);
    this.show([...shown, ...found], token);
    [...this.items.values()][shown.length]?.head.focus(); // the button may be gone
  }

  /** Show these, in this order. @param {any[]} found @param {string} [token] the next page's */
  show(found, token) {
    this.items = new Map(found.map((data) => [data.id, this.items.get(data.id) ?? this._make(data)]));
    arrange(this._list, [...this.items.values()].map(({ node }) => node));
    for (const data of found) {
      try {
        this.items.get(data.id)?.update(data);
      } catch (error) {
        console.error(error); // one item that cannot be shown does not hide the others
      }
    }
    this._token = token;
    this._more.hidden = !token;
    this._none.hidden = found.length > 0;
    this._none.textContent = this._noneText;
    this.actions.arranged();
  }
}
