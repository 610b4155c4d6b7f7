// A run's artifacts as a tree, in a tab; each opens in JupyterLab's own viewer.

import { ArtifactsDrive } from "./artifacts_drive.js";
import { button, element, iconButton } from "./elements.js";
import { ARTIFACTS } from "./items.js";
import { nameAt } from "./names.js";

const FILE = "jp-mlflow-artifact"; // class of a file
// JupyterLab's viewers, by the ends of names; a text editor shows anything else.
const VIEWERS = { csv: "CSVTable", tsv: "TSVTable", json: "JSON", md: "Markdown Preview", ipynb: "Notebook" };
const IMAGES = ["bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "tiff", "webp"];

/**
 * @param {Omit<import("./extension.js").Parts, "open">} parts
 * @param {any} restorer JupyterLab's ILayoutRestorer, if the application has one
 */
export function addArtifacts({ lab, app, server, trans }, restorer) {
  const drive = new ArtifactsDrive(lab, server, trans);
  app.serviceManager.contents.addDrive(drive);
  const tracker = new lab.apputils.WidgetTracker({ namespace: "mlflow-artifacts" });
  restorer?.restore(tracker, { command: ARTIFACTS, args: ({ args }) => args, name: ({ id }) => id });
  const icon = (shown = lab.ui.fileIcon) => shown.element({ tag: "span", width: "16px", height: "16px" });

  const execute = async ({ run_id, name }) => {
    const id = `mlflow-artifacts-${run_id}`;
    if (!tracker.find((each) => each.id === id)) {
      const args = { run_id, name: name ?? (await nameAt(server, `/runs/${run_id}`)) };
      const content = new lab.widgets.Widget({ node: element("div", { className: "jp-mlflow-artifacts" }) });
      const tab = Object.assign(new lab.apputils.MainAreaWidget({ content }), { id, args });
      const label = trans.__("Artifacts of %1", args.name || run_id);
      Object.assign(tab.title, { label, caption: label, icon: lab.ui.folderIcon, closable: true });
      const load = async () => content.node.replaceChildren(await list(run_id, ""));
      const refresh = { icon: lab.ui.refreshIcon, tooltip: trans.__("Refresh"), onClick: load };
      tab.toolbar.addItem("refresh", new lab.ui.ToolbarButton(refresh));
      app.shell.add(tab, "main");
      void tracker.add(tab);
      void load();
    }
    app.shell.activateById(id);
  };
  app.commands.addCommand(ARTIFACTS, { label: trans.__("Show artifacts"), execute });

  async function list(run_id, path) {
    const nodes = element("ul");
    try {
      const query = new URLSearchParams({ run_id, path });
      const { files = [] } = await server.mlflow(`artifacts/list?${query}`);
      files.sort((one, other) => other.is_dir - one.is_dir); // as in the file browser
      nodes.append(...files.map((each) => element("li", {}, ...(each.is_dir ? folder : file)(run_id, each))));
      nodes.childElementCount || nodes.append(element("li", {}, trans.__("No artifacts")));
    } catch (/** @type {any} */ error) {
      nodes.append(element("li", { role: "alert" }, error.message));
    }
    return nodes;
  }

  function folder(run_id, { path }) {
    const summary = element("summary", { title: path }, icon(lab.ui.folderIcon), baseName(path));
    const load = async () => details.childElementCount > 1 || details.append(await list(run_id, path));
    const details = element("details", { ontoggle: load }, summary);
    return [details];
  }

  function file(run_id, { path, file_size }) {
    const end = path.split(".").pop().toLowerCase();
    const factory = VIEWERS[end] ?? (IMAGES.includes(end) ? "Image" : "Editor");
    const document = { path: drive.address(run_id, path), factory, kernelPreference: { shouldStart: false } };
    const name = button("", () => app.commands.execute("docmanager:open", document), { title: path, className: FILE });
    name.append(icon(app.docRegistry.getFileTypesForPath(path)[0]?.icon), baseName(path));
    name.dataset.path = `${run_id}/${path}`;
    const buttons = actions.map(([shown, label, act]) => iconButton(shown, label, () => act(name.dataset.path)));
    return [name, element("small", {}, sizeText(file_size)), ...buttons];
  }

  /** @type {[any, string, (path: any) => any][]} what is done with a file */
  const actions = [
    [lab.ui.downloadIcon, trans.__("Download"), async (path) => {
      element("a", { href: await drive.getDownloadUrl(path), download: baseName(path) }).click();
    }],
    [lab.ui.copyIcon, trans.__("Copy path"), (path) => lab.apputils.Clipboard.copyToSystem(`runs:/${path}`)],
  ];
  actions.forEach(([shown, label, act], rank) => {
    const command = `mlflow-proxy:artifact-${rank ? "copy" : "download"}`;
    const target = () => app.contextMenuHitTest((node) => node.classList.contains(FILE))?.dataset.path;
    app.commands.addCommand(command, { label, icon: shown, execute: () => act(target()) });
    app.contextMenu.addItem({ command, selector: `.${FILE}`, rank });
  });
}

/** @param {string} path */
const baseName = (path) => path.split("/").pop() ?? "";

/** @param {number} [bytes] unknown to some stores */
function sizeText(bytes) {
  const power = Math.min(3, Math.floor(Math.log10(bytes || 1) / 3));
  return bytes === undefined ? "" : `${Number((bytes / 1000 ** power).toPrecision(3))} ${["B", "kB", "MB", "GB"][power]}`;
}
