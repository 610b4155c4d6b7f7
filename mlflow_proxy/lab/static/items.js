// The context menu of the sidebar's rows: commands that act on the row under the pointer, or with the focus.

const RUN = ["run"];
const MODELS = ["model-version"];
const OPENABLE = ["experiment", "run", "trace", "model", "model-version", "prompt", "prompt-version"];
const NAMED = OPENABLE.filter((kind) => kind !== "trace");
const ARTIFACTS = "mlflow-proxy:open-artifacts"; // adds itself where the application can show them

/** @param {import("./actions.js").Actions} actions */
export function addItemCommands(actions) {
  const { app, trans } = actions;
  /** @returns {any} */
  const target = () => actions.meant?.target() ?? {};
  const insert = (what) => () => actions.insert(what, target());
  const canInsert = () => actions.canInsert;
  /** Names, labels, kinds of rows, what they do, and whether they can: else they are grey.
   * @type {[string, string, string[], () => any, (() => boolean)?][]} */
  const commands = [
    ["open-item", trans.__("Open in the Dashboard"), OPENABLE, () => actions.openItem(target())],
    ["show-artifacts", trans.__("Show Artifacts"), RUN, () => app.commands.execute(ARTIFACTS, { run_id: target().id }),
      () => app.commands.hasCommand(ARTIFACTS)],
    ["sort-runs", trans.__("Sort Runs…"), ["experiment"], () => actions.attempt(() => target().row.sort())],
    ["show-source-run", trans.__("Show Source Run"), MODELS, () => actions.showRun(target().run), () => Boolean(target().run)],
    ["insert-load-run", trans.__("Insert Code: Load Run"), RUN, insert("load-run"), canInsert],
    ["insert-continue-run", trans.__("Insert Code: Continue Run"), RUN, insert("continue"), canInsert],
    ["insert-download", trans.__("Insert Code: Download Artifacts"), RUN, insert("download"), canInsert],
    ["insert-load-model", trans.__("Insert Code: Load Model"), [...RUN, ...MODELS], insert("load-model"), canInsert],
    ["insert-serve-model", trans.__("Insert Code: Serve Model"), [...RUN, ...MODELS], insert("serve"), canInsert],
    ["insert-load-prompt", trans.__("Insert Code: Load Prompt"), ["prompt-version"], insert("load-prompt"), canInsert],
    ["copy-id", trans.__("Copy ID"), ["experiment", "run", "trace"], () => copyId(actions, target())],
    ["copy-name", trans.__("Copy Name"), NAMED.filter((kind) => kind !== "run"), () =>
      actions.copy(target().name, trans.__("Name copied"))],
    ["copy-uri", trans.__("Copy URI"), NAMED.filter((kind) => kind !== "experiment"), () =>
      actions.copy(uri(target()), trans.__("URI copied"))],
  ];
  commands.forEach(([name, label, kinds, execute, isEnabled = () => true], rank) => {
    const command = `mlflow:${name}`;
    const isVisible = () => name !== "show-artifacts" || isEnabled();
    app.commands.addCommand(command, { label, execute, isEnabled, isVisible });
    for (const kind of kinds) {
      app.contextMenu?.addItem({ command, selector: `.jp-mlflow-row[data-kind="${kind}"]`, rank });
    }
  });
  app.commands.addKeyBinding({ command: "mlflow:copy-id", keys: ["Accel C"], selector: ".jp-mlflow-row:focus" });
}

/** @param {import("./actions.js").Actions} actions @param {any} target */
export function copyId(actions, { id, name, kind, uri }) {
  const { trans } = actions;
  const messages = { run: trans.__("Run ID copied"), experiment: trans.__("Experiment ID copied") };
  actions.copy(id ?? uri ?? name, messages[kind] ?? trans.__("Copied"));
}

const uri = ({ kind, id, uri }) => (kind === "run" ? `runs:/${id}` : uri);
