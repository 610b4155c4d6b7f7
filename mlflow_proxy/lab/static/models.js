// Registered models or prompts, with their versions and aliases.

import { age } from "./format.js";
import { PagedList } from "./list.js";
import { Row } from "./row.js";

/** @param {import("./actions.js").Actions} actions @param {"model"|"prompt"} kind */
export function modelList(actions, kind) {
  const { trans, api } = actions;
  const describe = ({ id, changed, aliases }) => {
    const value = aliases.map(({ alias }) => `@${alias}`).join(" ");
    return { text: id, title: `${id}\n${value}`.trim(), value, age: age(changed) };
  };
  const make = () => {
    const search = (token) => api.versions(row.data, kind, token);
    const versions = new PagedList(actions, { none: trans.__("No versions"), search, make: () => versionRow(actions, kind) });
    const row = new Row(actions, { kind, describe, list: versions });
    return row;
  };
  const none = kind === "prompt" ? trans.__("No prompts") : trans.__("No registered models");
  return new PagedList(actions, { none, search: (token) => api.models(kind, token), make });
}

function versionRow(actions, kind) {
  const describe = ({ id, aliases, state, created }) => {
    const value = [...aliases.map((alias) => `@${alias}`), ...(state === "READY" ? [] : [state])].join(" ");
    return { text: actions.trans.__("Version %1", id), value, age: age(created) };
  };
  const row = new Row(actions, { kind: `${kind}-version`, describe, activate: () => actions.openItem(row.target) });
  return row;
}
