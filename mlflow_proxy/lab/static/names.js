// Names of runs and experiments: the titles of MLflow's pages have only their ids.

const NO_USE = 1e9; // seconds since the user's last input

/**
 * @param {import("./server.js").Server} server
 * @param {string} path of a page, below the dashboard's address
 * @returns {Promise<string>} the name of its run or experiment; empty if there is none
 */
export async function nameAt(server, path) {
  const [, run] = path.match(/\/runs\/(\w+)/) ?? [];
  const [, experiment] = path.match(/\/experiments\/(\d+)/) ?? [];
  const ask = (request) => server.mlflow(request, undefined, NO_USE);
  try {
    if (run) return (await ask(`runs/get?run_id=${run}`)).run.info.run_name;
    if (experiment) return (await ask(`experiments/get?experiment_id=${experiment}`)).experiment.name;
  } catch {
    // It is deleted, or MLflow is stopped: the title has to do.
  }
  return "";
}
