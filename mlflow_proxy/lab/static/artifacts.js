// A run's artifacts as a tree, in a tab; each opens in JupyterLab's own viewer.

import { copy } from "./actions.js";
import { ArtifactsDrive } from "./artifacts_drive.js";
import { addItemCommands, ARTIFACTS } from "./items.js";
import { h, lab, trans, viewOf } from "./packages.js";
import { usePages } from "./pages.js";
import { List, Tree } from "./tree.js";

// JupyterLab's viewers, by the ends of names; a text editor shows anything else.
const VIEWERS = { csv: "CSVTable", tsv: "TSVTable", json: "JSON", md: "Markdown Preview", ipynb: "Notebook" };
const IMAGES = ["bmp", "gif", "ico", "jpeg", "jpg", "png", "svg", "tiff", "webp"];

/** @param {import("./store.js").Store} store */
export function addArtifacts(store) {
  const { app, server, services } = store;
  const drive = new ArtifactsDrive(server);
  app.serviceManager.contents.addDrive(drive);
  const tracker = new lab.apputils.WidgetTracker({ namespace: "mlflow-artifacts" });
  services.restorer?.restore(tracker, { command: ARTIFACTS, args: ({ args }) => args, name: ({ id }) => id });
  const execute = async ({ run_id, name }) => {
    const id = `mlflow-artifacts-${run_id}`;
    if (!tracker.find((each) => each.id === id)) {
      const args = { run_id, name: name ?? (await server.nameAt(`/runs/${run_id}`)) };
      const label = trans.__("Artifacts of %1", args.name || run_id);
      const draw = () => h(Tree, { label }, h(Folder, { store, run: run_id, path: "", openFile }));
      const content = viewOf(store, draw);
      content.addClass("jp-mlflow-artifacts");
      const tab = Object.assign(new lab.apputils.MainAreaWidget({ content }), { id, args });
      Object.assign(tab.title, { label, caption: label, icon: lab.ui.folderIcon, closable: true });
      const refresh = { icon: lab.ui.refreshIcon, tooltip: trans.__("Refresh"), onClick: () => store.reload(false) };
      tab.toolbar.addItem("refresh", new lab.ui.ToolbarButton(refresh));
      app.shell.add(tab, "main");
      void tracker.add(tab);
    }
    app.shell.activateById(id);
  };
  app.commands.addCommand(ARTIFACTS, { label: trans.__("Show artifacts"), execute });
  const download = async ({ run, path }) => {
    const href = await drive.getDownloadUrl(`${run}/${path}`);
    Object.assign(document.createElement("a"), { href, download: baseName(path) }).click();
  };
  const openFile = ({ run, path }) => {
    const end = path.split(".").pop().toLowerCase();
    const factory = VIEWERS[end] ?? (IMAGES.includes(end) ? "Image" : "Editor");
    const kernelPreference = { shouldStart: false };
    return app.commands.execute("docmanager:open", { path: drive.address(run, path), factory, kernelPreference });
  };
  const copyPath = ({ run, path }) => copy(`runs:/${run}/${path}`, trans.__("Path copied"));
  const { downloadIcon, copyIcon } = lab.ui;
  const tool = { kinds: ["artifact"], isTool: true };
  addItemCommands(store, [
    { ...tool, name: "download-artifact", label: trans.__("Download"), execute: download, icon: downloadIcon },
    { ...tool, name: "copy-path", label: trans.__("Copy path"), execute: copyPath, icon: copyIcon },
  ]);
}

/** What a folder of a run has. */
function Folder({ store, run, path, openFile, depth = 0 }) {
  const pages = usePages(store, async () => {
    const { files = [] } = await store.server.mlflow(`artifacts/list?${new URLSearchParams({ run_id: run, path })}`);
    files.sort((one, other) => other.is_dir - one.is_dir); // as in the file browser
    return { found: files.map((file) => ({ ...file, id: `${run}/${file.path}`, run })) };
  });
  const row = (file) => {
    const [type] = store.app.docRegistry.getFileTypesForPath(file.path);
    const icon = file.is_dir ? lab.ui.folderIcon : type?.icon ?? lab.ui.fileIcon;
    const shown = { text: baseName(file.path), facts: [file.path], lead: fileIcon(icon) };
    const below = (depth) => h(Folder, { store, run, path: file.path, openFile, depth });
    return file.is_dir
      ? { ...shown, kind: "folder", below }
      : { ...shown, kind: "artifact", age: sizeText(file.file_size), activate: () => openFile(file) };
  };
  return h(List, { store, pages, none: trans.__("No artifacts"), depth, row });
}

const fileIcon = (icon) => h(icon.react, { tag: "span", className: "jp-mlflow-file", width: "16px", height: "16px" });

/** @param {string} path */
const baseName = (path) => path.split("/").pop() ?? "";

/** @param {number} [bytes] unknown to some stores */
function sizeText(bytes) {
  if (bytes === undefined) return "";
  const power = Math.min(3, Math.floor(Math.log10(bytes || 1) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${["B", "kB", "MB", "GB"][power]}`;
}
