// The sidebar's head, which stays: MLflow's state unless it is ready, the search box, the ticked runs, an error.

import { insert, openPage } from "./actions.js";
import { h, lab, trans } from "./packages.js";
import { EXAMPLES, search } from "./results.js";
import { describe } from "./running.js";
import { searchRuns } from "./snippets.js";
import { IconButton } from "./tree.js";

const NEEDS_RESTART = /^(?!.*\bor correct\b).*\brestart Jupyter\.$/is; // another try would fail, too

/** @param {{store: import("./store.js").Store}} props */
export function Header({ store }) {
  return h(
    "div",
    { className: "jp-mlflow-header" },
    !store.isReady && h(Notice, { store }),
    store.hasLoaded && h(SearchForm, { store }),
    store.ticked.size > 0 && h(Ticked, { store }),
    h("p", { className: "jp-mlflow-alert", role: "alert" }, store.alert),
  );
}

function Notice({ store }) {
  const { status } = store.model;
  const isStarting = status?.state === "starting";
  const onClick = () => store.attempt(() => store.model.control("start"));
  const start = { type: "button", "aria-disabled": isStarting, onClick };
  const log = { type: "button", onClick: () => store.app.commands.execute("mlflow:show-log") };
  const text = status
    ? [describe(status), status.remedy].join("\n").trim()
    : trans.__("MLflow's state is not known. Is Jupyter's server extension mlflow_proxy enabled?");
  return h(
    "div",
    { className: "jp-mlflow-notice" },
    h("p", {}, text),
    status && !NEEDS_RESTART.test(status.remedy) && h("button", start, trans.__("Start")),
    status?.state === "failed" && h("button", log, trans.__("Show log")),
  );
}

function SearchForm({ store }) {
  const box = lab.react.useRef(null);
  const find = () => search(store, box.current.value.trim());
  const input = {
    type: "search",
    ref: box,
    "aria-label": trans.__("Search experiments and runs"),
    placeholder: trans.__("Search runs"),
    title: [trans.__("Words of names, or comparisons:"), ...EXAMPLES].join("\n"),
    onInput: () => box.current.value || find(),
  };
  const button = { icon: lab.ui.searchIcon, label: trans.__("Search"), act: find };
  const onSubmit = (event) => (event.preventDefault(), find());
  return h("form", { role: "search", onSubmit }, h("input", input), h(IconButton, button));
}

/** What can be done with the ticked runs. */
function Ticked({ store }) {
  const ids = [...store.ticked];
  const experiments = [...new Set(ids.map((id) => store.runs.get(id).experiment))];
  const json = (values) => encodeURIComponent(JSON.stringify(values));
  const compare = () => openPage(store, ["compare-runs"], `?runs=${json(ids)}&experiments=${json(experiments)}`);
  const { codeIcon, closeIcon } = lab.ui;
  const code = () => insert(store, () => searchRuns(ids, experiments));
  const clear = () => (store.ticked.clear(), store.update());
  return h(
    "div",
    { className: "jp-mlflow-bar" },
    h("span", { role: "status" }, trans.__("%1 selected", ids.length)),
    h("button", { type: "button", disabled: ids.length < 2, onClick: compare }, trans.__("Compare")),
    h(IconButton, { icon: codeIcon, label: trans.__("Insert DataFrame of these runs"), act: code }),
    h(IconButton, { icon: closeIcon, label: trans.__("Clear selection"), act: clear }),
  );
}
