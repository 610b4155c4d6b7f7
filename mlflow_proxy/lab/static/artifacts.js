// A run's artifacts as a tree, in a tab; each opens in JupyterLab's own viewer.

import { ArtifactsDrive } from "./artifacts_drive.js";
import { element } from "./elements.js";
import { nameAt } from "./names.js";

const OPEN = "mlflow-proxy:open-artifacts";
const FILE = "jp-mlflow-artifact"; // class of a file
// JupyterLab's viewers, by the ends of names; a text editor shows anything else.
const VIEWERS = {
  csv: "CSVTable",
  tsv: "TSVTable",
  json: "JSON",
  md: "Markdown Preview",
  ipynb: "Notebook",
  ...Object.fromEntries(["bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "tiff", "webp"].map((end) => [end, "Image"])),
};

/**
 * @param {Omit<import("./extension.js").Parts, "open">} parts
 * @param {any} restorer JupyterLab's ILayoutRestorer, if the application has one
 */
export function addArtifacts({ lab, app, server, trans }, restorer) {
  const drive = new ArtifactsDrive(lab, server, trans);
  app.serviceManager.contents.addDrive(drive);
  const tracker = new lab.apputils.WidgetTracker({ namespace: "mlflow-artifacts" });
  restorer?.restore(tracker, { command: OPEN, args: ({ args }) => args, name: ({ id }) => id });

  app.commands.addCommand(OPEN, {
    label: trans.__("Open Artifacts"),
    execute: async ({ run_id, name }) => {
      const id = `mlflow-artifacts-${run_id}`;
      if (!tracker.find((each) => each.id === id)) {
        const args = { run_id, name: name ?? (await nameAt(server, `/runs/${run_id}`)) };
        const tree = element("div", { className: "jp-mlflow-artifacts" });
        const content = new lab.widgets.Widget({ node: tree });
        const tab = Object.assign(new lab.apputils.MainAreaWidget({ content }), { id, args });
        const label = trans.__("Artifacts of %1", args.name || run_id);
        Object.assign(tab.title, { label, caption: label, icon: lab.ui.folderIcon, closable: true });
        const load = async () => tree.replaceChildren(await list(run_id, ""));
        const refresh = { icon: lab.ui.refreshIcon, tooltip: trans.__("Refresh"), onClick: load };
        tab.toolbar.addItem("refresh", new lab.ui.ToolbarButton(refresh));
        app.shell.add(tab, "main");
        void tracker.add(tab);
        void load();
      }
      app.shell.activateById(id);
    },
  });

  /** The files and folders in a folder. */
  async function list(run_id, path, page_token = "") {
    const nodes = element("ul");
    try {
      const query = new URLSearchParams({ run_id, path, ...(page_token && { page_token }) });
      const { files = [], next_page_token } = await server.mlflow(`artifacts/list?${query}`);
      files.sort((one, other) => other.is_dir - one.is_dir); // as in the file browser
      nodes.append(...files.map((each) => (each.is_dir ? folder(run_id, each.path) : file(run_id, each))));
      if (next_page_token) {
        const more = async () => nodes.lastElementChild?.replaceWith(await list(run_id, path, next_page_token));
        nodes.append(element("li", {}, element("button", { onclick: more }, trans.__("More"))));
      }
      nodes.childElementCount || nodes.append(element("li", {}, trans.__("No artifacts")));
    } catch (/** @type {any} */ error) {
      nodes.append(element("li", { role: "alert" }, error.message));
    }
    return nodes;
  }

  function folder(run_id, path) {
    const summary = element("summary", { title: path }, icon(lab.ui.folderIcon), baseName(path));
    const ontoggle = async () => {
      details.childElementCount > 1 || details.append(await list(run_id, path));
    };
    const details = element("details", { ontoggle }, summary);
    return element("li", {}, details);
  }

  function file(run_id, { path, file_size }) {
    const [type] = app.docRegistry.getFileTypesForPath(path);
    const open = () => app.commands.execute("docmanager:open", {
      path: drive.address(run_id, path),
      factory: VIEWERS[path.split(".").pop().toLowerCase()] ?? "Editor",
      kernelPreference: { shouldStart: false },
    });
    const name = element("button", { onclick: open, title: path, className: FILE }, icon(type?.icon), baseName(path));
    name.dataset.path = `${run_id}/${path}`;
    return element("li", {}, name, element("small", {}, sizeText(file_size)), ...actions.map(([shown, label, act]) =>
      element("button", { title: label, ariaLabel: label, onclick: () => act(name.dataset.path) }, icon(shown))));
  }

  const icon = (shown = lab.ui.fileIcon) => shown.element({ tag: "span", width: "16px", height: "16px" });

  /** @type {[any, string, (path: any) => any][]} what is done with a file */
  const actions = [
    [lab.ui.downloadIcon, trans.__("Download"), async (path) => {
      element("a", { href: await drive.getDownloadUrl(path), download: baseName(path) }).click();
    }],
    [lab.ui.copyIcon, trans.__("Copy Path"), (path) => lab.apputils.Clipboard.copyToSystem(`runs:/${path}`)],
  ];
  for (const [shown, label, act] of actions) {
    const command = `mlflow-proxy:artifact-${label.split(" ")[0].toLowerCase()}`;
    const execute = () => act(app.contextMenuHitTest((node) => node.matches(`.${FILE}`))?.dataset.path);
    app.commands.addCommand(command, { label, icon: shown, execute });
    app.contextMenu.addItem({ command, selector: `.${FILE}` });
  }
}

/** @param {number} [bytes] */
function sizeText(bytes = NaN) {
  const power = Math.min(3, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return Number.isFinite(power) ? `${Number((bytes / 1000 ** power).toPrecision(3))} ${["B", "kB", "MB", "GB"][power]}` : "";
}

/** @param {string} path */
const baseName = (path) => path.split("/").pop() ?? "";
