// Lists that grow by pages, and their rows. A refresh keeps the rows that stay, with what the user opened.

/** @typedef {{text: string, label?: string, title?: string, value?: string, age?: string, status?: string,
 *   isBest?: boolean, isSelected?: boolean, lead?: any}} Shown `label`: what a screen reader says; `lead`: an
 *   element before the text
 */

export class Row {
  /** Selects its commands. */
  kind = "";
  /** What is below it, if something may be. @type {PagedList[]} */
  lists = [];
  isOpen = false;

  /** @param {import("./store.js").Store} store @param {any} data */
  constructor(store, data) {
    this.store = store;
    this.data = data;
  }

  /** @returns {Shown} */
  get shown() {
    return { text: this.data.name };
  }

  get canOpen() {
    return this.lists.length > 0;
  }

  /** What its commands act on. */
  get target() {
    return { ...this.data, kind: this.kind, row: this };
  }

  /** What a click does. @returns {any} */
  activate() {
    return this.toggle();
  }

  /** What the space bar does. @returns {any} */
  tick() {
    return this.activate();
  }

  /** Open or close it; what is below it is loaded each time. @param {boolean} [isOpen] */
  async toggle(isOpen = !this.isOpen) {
    if (this.canOpen && isOpen !== this.isOpen) {
      this.isOpen = isOpen;
      this.store.update();
      isOpen && (await this.store.attempt(() => this.load()));
    }
  }

  /** Load what is below it. */
  async load() {
    await Promise.all(this.lists.map((list) => list.load()));
  }
}

export class PagedList {
  /**
   * @param {import("./store.js").Store} store
   * @param {{none?: string, search: (token?: string) => Promise<import("./api.js").Page>,
   *   make: (data: any) => Row}} options `none`: what it says when it is empty
   */
  constructor(store, { none = "", search, make }) {
    this.store = store;
    this.none = none;
    /** The first page has come. */
    this.isLoaded = false;
    /** The next page's, if there is one. @type {string | undefined} */
    this.token = undefined;
    /** By the IDs of their data. @type {Map<string, Row>} */
    this.items = new Map();
    this._search = search;
    this._make = make;
  }

  get rows() {
    return [...this.items.values()];
  }

  /** Show the first page. */
  async load() {
    const search = (this._latest = this._search());
    const page = await search;
    if (search === this._latest) {
      this.show(page.found, page.token);
    }
  }

  /** Show one more page. */
  async more() {
    const { found, token } = await this._search(this.token);
    this.show([...this.rows.map(({ data }) => data), ...found], token);
  }

  /** Update rows in place and put new ones on top. @param {any[]} found */
  merge(found) {
    const updates = new Map(found.map((data) => [data.id, data]));
    const kept = this.rows.map(({ data }) => updates.get(data.id) ?? data);
    this.show([...found.filter(({ id }) => !this.items.has(id)), ...kept], this.token);
  }

  /** Show these, in this order. @param {any[]} found @param {string} [token] the next page's */
  show(found, token) {
    this.items = new Map(found.map((data) => [data.id, this.items.get(data.id) ?? this._make(data)]));
    found.forEach((data) => Object.assign(this.items.get(data.id) ?? {}, { data }));
    this.token = token;
    this.isLoaded = true;
    this.store.update();
  }
}
