// Commands of the sidebar's rows: in their context menu, and some as icons on the row.

export const ARTIFACTS = "mlflow-proxy:open-artifacts"; // exists where the application can show them
const RUN = ["run"];
const MODELS = ["model-version"];
const ALL = ["experiment", "run", "trace", "model", "model-version", "prompt", "prompt-version"];
const URIS = ["run", "model", "model-version", "prompt", "prompt-version"];

/** @typedef {{name: string, label: string, kinds: string[], execute: (target: any) => any, icon?: any,
 *   isEnabled?: (target: any) => boolean, isVisible?: () => boolean}} ItemCommand `kinds`: of the rows that have it
 */

/** @param {import("./actions.js").Actions} actions @returns {ItemCommand[]} in the menu's order */
export function itemCommands(actions) {
  const { app, trans } = actions;
  const { codeIcon, filterListIcon, launchIcon } = actions.lab.ui;
  const insert = (what, label, kinds, icon) => ({
    name: `insert-${what}`,
    label,
    kinds,
    icon,
    isEnabled: () => actions.canInsert,
    execute: (target) => actions.insert(what, target),
  });
  const copy = (what, label, kinds, text, message) => ({
    name: `copy-${what}`,
    label,
    kinds,
    execute: (target) => actions.copy(text(target), message),
  });
  const name = "show-artifacts";
  const canShow = () => app.commands.hasCommand(ARTIFACTS);
  const show = ({ id }) => app.commands.execute(ARTIFACTS, { run_id: id });
  const source = ({ run }) => actions.showRun(run);
  const sort = ({ row }) => actions.attempt(() => row.sort());
  return [
    { name: "sort-runs", label: trans.__("Sort runs…"), kinds: ["experiment"], icon: filterListIcon, execute: sort },
    { name, label: trans.__("Show artifacts"), kinds: RUN, execute: show, isVisible: canShow },
    { name: "show-source-run", label: trans.__("Show source run"), kinds: MODELS, execute: source, isEnabled: ({ run }) => run },
    insert("load-run", trans.__("Insert code: load run"), RUN, codeIcon),
    insert("load-model", trans.__("Insert code: load model"), RUN),
    insert("load-model", trans.__("Insert code: load model"), MODELS, codeIcon),
    insert("serve", trans.__("Insert code: serve model"), [...RUN, ...MODELS]),
    insert("continue", trans.__("Insert code: continue run"), RUN),
    insert("download", trans.__("Insert code: download artifacts"), RUN),
    insert("load-prompt", trans.__("Insert code: load prompt"), ["prompt-version"], codeIcon),
    { name: "open-item", label: trans.__("Open in the dashboard"), kinds: ALL, icon: launchIcon, execute: actions.openItem },
    copy("id", trans.__("Copy ID"), ["experiment", "run", "trace"], ({ id }) => id, trans.__("ID copied")),
    copy("name", trans.__("Copy name"), ALL, (target) => target.name, trans.__("Name copied")),
    copy("uri", trans.__("Copy URI"), URIS, ({ kind, id, uri }) => (kind === "run" ? `runs:/${id}` : uri), trans.__("URI copied")),
  ];
}

/** Make them commands of JupyterLab. @param {import("./actions.js").Actions} actions */
export function addItemCommands({ app, commands, target }) {
  commands.forEach(({ name, label, kinds, execute, isEnabled, isVisible }, rank) => {
    const command = `mlflow:${name}`;
    if (!app.commands.hasCommand(command)) {
      app.commands.addCommand(command, {
        label,
        execute: () => execute(target()),
        isEnabled: () => Boolean(!isEnabled || isEnabled(target())),
        isVisible,
      });
    }
    for (const kind of kinds) {
      app.contextMenu?.addItem({ command, selector: `.jp-mlflow-row[data-kind="${kind}"]`, rank });
    }
  });
  app.commands.addKeyBinding({ command: "mlflow:copy-id", keys: ["Accel C"], selector: ".jp-mlflow-row:focus" });
}
