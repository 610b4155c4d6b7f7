// A drive of JupyterLab's with the artifacts of runs, to be read only: "MLflow:<ID of the run>/<path>".
// MLflow's server reads them, from whichever store they are in.
//
// What is stored is not trusted: JupyterLab's viewers of HTML and of SVG texts, which can run them with
// Jupyter's origin, get no such file. The source of HTML has another name.

import { lab, trans } from "./packages.js";

const MAX_SIZE = 50e6; // bytes of a document that the browser has in memory, some times over
const SOURCE = " (source)"; // at the end of a name
const CHANGES = ["newUntitled", "delete", "rename", "save", "copy", "createCheckpoint", "restoreCheckpoint", "deleteCheckpoint"];

export class ArtifactsDrive {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    this.name = "MLflow";
    this.serverSettings = lab.services.ServerConnection.makeSettings();
    this.fileChanged = new lab.signaling.Signal(this);
    this.isDisposed = false;
    const refuse = () => Promise.reject(new Error(trans.__("Artifacts cannot be changed")));
    Object.assign(this, Object.fromEntries(CHANGES.map((name) => [name, refuse])));
  }

  dispose() {
    this.isDisposed = true;
  }

  /** The address of a file in JupyterLab. @param {string} run @param {string} path */
  address(run, path) {
    return `${this.name}:${run}/${path}${/\.html$/i.test(path) ? SOURCE : ""}`;
  }

  /** @param {string} path @param {{type?: string, format?: string, content?: boolean}} [options] */
  async get(path, { type = "file", format = "text", content = true } = {}) {
    const time = new Date(0).toISOString(); // MLflow tells none
    const file = { name: path.split("/").pop(), path, type, writable: false, created: time, last_modified: time };
    if (!content) {
      return { ...file, content: null, format: null, mimetype: "" };
    }
    if (/\.html$/i.test(path) || (/\.svg$/i.test(path) && format === "text")) {
      throw new Error(trans.__("Files of this kind are shown as their source only"));
    }
    const blob = await this._read(path);
    if (format === "base64") {
      return { ...file, content: await base64(blob), format, mimetype: blob.type };
    }
    const text = await this._decode(blob);
    return { ...file, content: type === "notebook" ? untrusted(text) : text, format, mimetype: "text/plain" };
  }

  /** @param {string} path */
  async getDownloadUrl(path) {
    return this._server.url + artifact(path);
  }

  async listCheckpoints() {
    return [];
  }

  /** @param {string} path @returns {Promise<Blob>} */
  async _read(path) {
    const response = await this._server.request(artifact(path));
    const reader = /** @type {ReadableStream} */ (response.body).getReader();
    const chunks = [];
    for (let size = 0; size <= MAX_SIZE; size += chunks.at(-1).length) {
      const { done, value } = await reader.read();
      if (done) return new Blob(chunks, { type: response.headers.get("Content-Type") ?? "" });
      chunks.push(value);
    }
    await reader.cancel();
    throw new Error(trans.__("It is too large to be shown here. It can be downloaded."));
  }

  /** @param {Blob} blob */
  async _decode(blob) {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(await blob.arrayBuffer());
    } catch {
      throw new Error(trans.__("It is not a text. It can be downloaded."));
    }
  }
}

/** MLflow's address of a file in the drive, below the dashboard's. @param {string} path */
function artifact(path) {
  const [run_uuid, ...names] = path.split("/");
  const name = names.join("/").replace(/(\.html) \(source\)$/i, "$1");
  return `get-artifact?${new URLSearchParams({ path: name, run_uuid })}`;
}

/** @param {Blob} blob @returns {Promise<string>} */
const base64 = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(String(reader.result).split(",")[1] ?? "");
  reader.onerror = () => reject(reader.error);
  reader.readAsDataURL(blob);
});

/** A notebook whose outputs JupyterLab does not trust, whatever the file says. @param {string} text */
function untrusted(text) {
  const notebook = JSON.parse(text);
  for (const cell of notebook.cells ?? []) {
    cell.metadata = { ...cell.metadata, trusted: false };
  }
  return notebook;
}
