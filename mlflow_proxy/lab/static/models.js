// Registered models or prompts, with their versions and aliases.

import { openItem } from "./actions.js";
import { age } from "./format.js";
import { h, trans } from "./packages.js";
import { usePages } from "./pages.js";
import { List } from "./tree.js";

/** @param {{store: import("./store.js").Store, kind: "model"|"prompt"}} props */
export function Models({ store, kind }) {
  const pages = usePages(store, (token) => store.api.models(kind, token));
  const none = kind === "prompt" ? trans.__("No prompts") : trans.__("No registered models");
  const row = (model) => {
    const value = model.aliases.map(({ alias }) => `@${alias}`).join(" ");
    const below = (depth) => h(Versions, { store, kind, model, depth });
    return { kind, text: model.name, value, age: age(model.changed), below };
  };
  return h(List, { store, pages, none, row });
}

function Versions({ store, kind, model, depth }) {
  const pages = usePages(store, (token) => store.api.versions(model, kind, token));
  const row = (version) => {
    const { id, aliases, state, created } = version;
    const value = [...aliases.map((alias) => `@${alias}`), ...(state === "READY" ? [] : [state])].join(" ");
    const target = { ...version, kind: `${kind}-version` };
    const activate = () => openItem(store, target);
    return { kind: target.kind, text: trans.__("Version %1", id), value, age: age(created), activate };
  };
  return h(List, { store, pages, none: trans.__("No versions"), depth, row });
}
