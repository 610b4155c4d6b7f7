// Requests to this Jupyter server: for MLflow's state and for MLflow itself.

import { lab } from "./packages.js";

/** @typedef {{state: "stopped"|"starting"|"ready"|"idle"|"failed", since: number|null,
 *   progress: number|null, text: string, remedy: string, version: string|null, store: string,
 *   memory: number|null, pid: number|null, log: string, settings: Record<string, string>}} Status
 */

const NO_USE = 1e9; // seconds since the user's last input

export class Server {
  constructor() {
    this._settings = lab.services.ServerConnection.makeSettings();
    /** The dashboard's address, with a slash at its end. */
    this.url = lab.coreutils.URLExt.join(this._settings.baseUrl, "mlflow/");
  }

  /** MLflow's state. @returns {Promise<Status>} */
  async status() {
    return (await this.request("_proxy/control")).json();
  }

  /** Start, stop or restart MLflow. @param {"start"|"stop"|"restart"} what @returns {Promise<Status>} */
  async control(what) {
    return (await this.request(`_proxy/control/${what}`, {})).json();
  }

  /** The end of MLflow's log. */
  async log() {
    return (await this.request("_proxy/control/log")).text();
  }

  /** Ask MLflow's REST API; a body makes it a POST.
   * @param {string} path e.g. "runs/search", or from the root: "/graphql" @param {object} [body]
   * @param {number} [idle] seconds since the user's last input: MLflow may stop under a panel that merely stands open
   */
  async mlflow(path, body, idle = 0) {
    const full = path.startsWith("/") ? path.slice(1) : `ajax-api/2.0/mlflow/${path}`;
    return (await this.request(full, body, { "X-MLflow-Proxy-Idle": String(idle) })).json();
  }

  /** The name of the run or experiment that a page shows; empty if there is none. @param {string} path of the page */
  async nameAt(path) {
    const [, kind, id] = path.match(/.*\/(run|experiment)s\/(\w+)/) ?? [];
    try {
      const found = kind && (await this.mlflow(`${kind}s/get?${kind}_id=${id}`, undefined, NO_USE))[kind];
      return found?.name ?? found?.info.run_name ?? "";
    } catch {
      return ""; // it is deleted, or MLflow is stopped: the title has to do
    }
  }

  /** @param {string} path below the dashboard's address @param {object} [body] @returns {Promise<Response>} */
  async request(path, body, headers = {}) {
    const { makeRequest, ResponseError } = lab.services.ServerConnection;
    const sent = body && { method: "POST", body: JSON.stringify(body) };
    const init = { cache: "no-store", headers: { "Content-Type": "application/json", ...headers }, ...sent };
    const response = await makeRequest(this.url + path, init, this._settings);
    if (!response.ok) {
      throw await ResponseError.create(response);
    }
    return response;
  }
}
