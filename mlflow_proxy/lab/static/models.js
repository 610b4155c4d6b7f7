// Registered models or prompts, with their versions and aliases.

import { openItem } from "./actions.js";
import { age } from "./format.js";
import { PagedList, Row } from "./list.js";
import { trans } from "./packages.js";

/** @typedef {import("./store.js").Store} Store */

/** @param {Store} store @param {"model"|"prompt"} kind */
export function modelList(store, kind) {
  const none = kind === "prompt" ? trans.__("No prompts") : trans.__("No registered models");
  const search = (token) => store.api.models(kind, token);
  return new PagedList(store, { none, search, make: (model) => new ModelRow(store, model, kind) });
}

class ModelRow extends Row {
  /** @param {Store} store @param {any} model @param {"model"|"prompt"} kind */
  constructor(store, model, kind) {
    super(store, model);
    this.kind = kind;
    const none = trans.__("No versions");
    const search = (token) => store.api.versions(this.data, kind, token);
    this.lists = [new PagedList(store, { none, search, make: (version) => new VersionRow(store, version, kind) })];
  }

  get shown() {
    const { id, changed, aliases } = this.data;
    const value = aliases.map(({ alias }) => `@${alias}`).join(" ");
    return { text: id, title: `${id}\n${value}`.trim(), value, age: age(changed) };
  }
}

class VersionRow extends Row {
  /** @param {Store} store @param {any} version @param {"model"|"prompt"} kind */
  constructor(store, version, kind) {
    super(store, version);
    this.kind = `${kind}-version`;
  }

  get shown() {
    const { id, aliases, state, created } = this.data;
    const value = [...aliases.map((alias) => `@${alias}`), ...(state === "READY" ? [] : [state])].join(" ");
    return { text: trans.__("Version %1", id), value, age: age(created) };
  }

  activate() {
    return openItem(this.store, this.target);
  }
}
