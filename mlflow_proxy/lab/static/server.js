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
    return (await this.request(`_proxy/control/${what}`, post({}))).json();
  }

  /** The end of MLflow's log. */
  async log() {
    return (await this.request("_proxy/control/log")).text();
  }

  /**
   * Ask MLflow's REST API; a body makes it a POST.
   *
   * @param {string} path e.g. "runs/search", or from the root: "/graphql"
   * @param {object} [body]
   * @param {number} [idle] seconds since the user's last input: MLflow may be stopped under a panel
   *   that merely stands open
   */
  async mlflow(path, body, idle = 0) {
    const headers = { "X-MLflow-Proxy-Idle": String(idle) };
    const init = body ? post(body, headers) : { headers };
    const full = path.startsWith("/") ? path.slice(1) : `ajax-api/2.0/mlflow/${path}`;
    return (await this.request(full, init)).json();
  }

  /**
   * The name of the run or experiment of a page, whose title has only its ID; empty if there is none.
   *
   * @param {string} path of the page, below the dashboard's address
   * @returns {Promise<string>}
   */
  async nameAt(path) {
    const [, run] = path.match(/\/runs\/(\w+)/) ?? [];
    const [, experiment] = path.match(/\/experiments\/(\d+)/) ?? [];
    const ask = (request) => this.mlflow(request, undefined, NO_USE);
    try {
      if (run) return (await ask(`runs/get?run_id=${run}`)).run.info.run_name;
      if (experiment) return (await ask(`experiments/get?experiment_id=${experiment}`)).experiment.name;
    } catch {
      // It is deleted, or MLflow is stopped: the title has to do.
    }
    return "";
  }

  /** @param {string} path below the dashboard's address @param {RequestInit} [init] @returns {Promise<Response>} */
  async request(path, init = {}) {
    const { makeRequest, ResponseError } = lab.services.ServerConnection;
    const response = await makeRequest(this.url + path, { cache: "no-store", ...init }, this._settings);
    if (!response.ok) {
      throw await ResponseError.create(response);
    }
    return response;
  }
}

/** @param {object} body @param {Record<string, string>} [headers] */
function post(body, headers) {
  const json = { "Content-Type": "application/json", ...headers };
  return { method: "POST", body: JSON.stringify(body), headers: json };
}
