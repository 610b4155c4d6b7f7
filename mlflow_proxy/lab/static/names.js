// Names of runs and experiments: the titles of MLflow's pages have only their ids.

const NO_USE = 1e9; // seconds since the user's last input
const SUBJECTS = [
  { pattern: /\/runs\/(\w+)/, request: "runs/get?run_id=", name: ({ run }) => run.info.run_name },
  { pattern: /^#\/experiments\/(\d+)/, request: "experiments/get?experiment_id=", name: ({ experiment }) => experiment.name },
];

export class Names {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    this._request = "";
    this._name = Promise.resolve("");
  }

  /** The name of the run or experiment at `path` of the dashboard; empty if there is none. @param {string} path */
  async at(path) {
    const subject = SUBJECTS.find(({ pattern }) => pattern.test(path));
    const request = subject ? subject.request + subject.pattern.exec(path)[1] : "";
    if (request !== this._request) {
      this._request = request;
      this._name = subject ? this._server.mlflow(request, undefined, NO_USE).then(subject.name) : Promise.resolve("");
    }
    try {
      return await this._name;
    } catch {
      this._request = ""; // it is asked again
      return "";
    }
  }
}
