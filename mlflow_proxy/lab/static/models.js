// Registered models or prompts, with their versions and aliases.

import { age } from "./format.js";
import { PagedList } from "./list.js";
import { Row } from "./row.js";

export class ModelList extends PagedList {
  /** @param {import("./actions.js").Actions} actions @param {boolean} isPrompts */
  constructor(actions, isPrompts) {
    const { trans, api } = actions;
    super(actions, {
      none: isPrompts ? trans.__("No prompts") : trans.__("No registered models"),
      search: (token) => api.models(isPrompts, token),
      key: ({ name }) => name,
      make: (model) => new ModelRow(actions, model, isPrompts),
    });
  }
}

class ModelRow extends Row {
  constructor(actions, model, isPrompt) {
    const { trans, api } = actions;
    const { name } = model;
    const kind = isPrompt ? "prompt" : "model";
    const target = () => ({ kind, name, uri: `${kind}s:/${name}` });
    super(actions, {
      kind,
      list: new PagedList(actions, {
        none: trans.__("No versions"),
        search: (token) => api.versions(this.data, isPrompt, token),
        key: ({ version }) => version,
        make: (version) => new VersionRow(actions, version, kind, () => this.data?.aliases ?? []),
      }),
      target,
      buttons: [[actions.lab.ui.launchIcon, trans.__("Open in the dashboard"), () => actions.openItem(target())]],
    });
    this.data = model;
  }

  update({ name, last_updated_timestamp, aliases = [] }) {
    const value = aliases.map(({ alias }) => `@${alias}`).join(" ");
    this.show({ text: name, title: [name, value].join("\n").trim(), value, age: age(Number(last_updated_timestamp)) });
    if (this.isOpen) {
      for (const row of this.list?.items.values() ?? []) row.update(row.data);
    }
  }
}

class VersionRow extends Row {
  /** @param {() => any[]} aliases the model's: MLflow finds versions without them */
  constructor(actions, version, kind, aliases) {
    const { trans } = actions;
    const { codeIcon, launchIcon } = actions.lab.ui;
    const { name, version: number, run_id } = version;
    const own = () => aliases().filter((each) => each.version === number).map(({ alias }) => alias);
    const uri = () => `${kind}s:/${name}${own().length ? `@${own()[0]}` : `/${number}`}`;
    const target = () => ({ kind: `${kind}-version`, name, version: number, run: run_id, uri: uri() });
    super(actions, {
      kind: `${kind}-version`,
      target,
      activate: () => actions.openItem(target()),
      buttons: [
        [codeIcon, trans.__("Insert code that loads it"), () => actions.insert(`load-${kind}`, target())],
        [launchIcon, trans.__("Open in the dashboard"), () => actions.openItem(target())],
      ],
    });
    this._own = own;
  }

  update({ version, creation_timestamp, status }) {
    const value = this._own().map((alias) => `@${alias}`).join(" ");
    const text = this._actions.trans.__("Version %1", version);
    const state = status === "READY" ? "" : status;
    this.show({ text, value: [value, state].filter(Boolean).join(" "), age: age(Number(creation_timestamp)) });
  }
}
