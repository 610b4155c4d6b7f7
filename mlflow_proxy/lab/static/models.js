// Registered models, their versions and aliases.

import { element } from "./elements.js";
import { Branch, PagedList } from "./list.js";
import { loadModel } from "./snippets.js";

/** @param {import("./actions.js").Actions} actions */
export const modelList = (actions) =>
  pages(actions, "registered_models", "registered-models/search", {
    none: actions.trans.__("No registered models"),
    query: { order_by: "last_updated_timestamp DESC" },
    key: (model) => model.name,
    make: ({ name }) => {
      const item = new Branch(actions, "li", versionList(actions, name, () => item.data?.aliases ?? []));
      return item;
    },
  });

/** MLflow finds versions without their aliases. */
function versionList(actions, name, aliases) {
  const quote = name.includes("'") ? '"' : "'";
  return pages(actions, "model_versions", "model-versions/search", {
    none: actions.trans.__("No versions"),
    query: { filter: `name=${quote}${name}${quote}`, order_by: "version_number DESC" },
    key: (version) => version.version,
    make: () => versionItem(actions, aliases),
  });
}

function versionItem({ trans, insertButton }, aliases) {
  const node = element("li", { className: "jp-mlflow-actions" });
  const update = ({ name, version }) => {
    const load = (text, uri) => insertButton(text, loadModel(`models:/${name}${uri}`));
    const own = aliases().filter((each) => each.version === version);
    node.replaceChildren(
      element("span", {}, trans.__("Version %1", version)),
      load(trans.__("Load"), `/${version}`),
      ...own.map(({ alias }) => load(trans.__("Load @%1", alias), `@${alias}`)),
    );
  };
  return { node, update };
}

function pages(actions, field, path, { none, query, key, make }) {
  const search = async (page_token = "") => {
    const parameters = new URLSearchParams({ max_results: "50", ...query, page_token });
    const answer = await actions.ask(`${path}?${parameters}`);
    return { found: (answer[field] ?? []).map((each) => [key(each), each]), token: answer.next_page_token };
  };
  return new PagedList(actions, { none, search, make });
}
