// MLflow's API, asked for what is shown. REST answers with whole runs, of which one may have thousands
// of metrics; GraphQL, which MLflow's dashboard uses too, answers with the fields that are named.

const MAX_FIELDS = 10; // of one request, see MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS
const INFO = "info { runId runName experimentId status startTime endTime }";
const PAIRS = "{ key value }";
const PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'";

/** @typedef {{id: string, name: string, experiment: string, status: string, start: number, end: number,
 *   parent?: string}} Run times in ms
 * @typedef {{key: string, value: number|null, step: string, timestamp: string}} Metric
 * @typedef {{found: any[], token?: string}} Page
 */

/** A text in MLflow's filter language, which knows no escapes. @param {string} text */
export const quoted = (text) => (text.includes("'") ? `"${text.replaceAll('"', "_")}"` : `'${text}'`);

export class Api {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    this._lastInput = -Infinity;
    /** Finds the runs that have no parent; empty if this MLflow cannot. */
    this.isTop = "tags.mlflow.parentRunId IS NULL";
  }

  /** Note the user's input into `node`. @param {HTMLElement} node */
  follow(node) {
    const note = () => (this._lastInput = performance.now());
    for (const type of ["pointerdown", "keydown", "wheel"]) {
      node.addEventListener(type, note, { capture: true, passive: true });
    }
  }

  /**
   * Ask REST. It counts as use of MLflow at the time of the last input.
   *
   * @param {string} path
   * @param {object} [body]
   */
  ask(path, body) {
    return this._server.mlflow(path, body, (performance.now() - this._lastInput) / 1000);
  }

  /**
   * Ask one field of GraphQL with several inputs, in as few requests as MLflow allows.
   *
   * @param {"query"|"mutation"} operation
   * @param {string} field
   * @param {object[]} inputs
   * @param {string} selection
   * @param {string} [parameters] of the address
   * @returns {Promise<any[]>} an answer for each input
   */
  async _fields(operation, field, inputs, selection, parameters = "") {
    const type = `${field[0].toUpperCase()}${field.slice(1)}Input!`;
    const answers = [];
    for (let start = 0; start < inputs.length; start += MAX_FIELDS) {
      const part = Object.entries(inputs.slice(start, start + MAX_FIELDS));
      const head = part.map(([index]) => `$i${index}: ${type}`);
      const body = part.map(([index]) => `f${index}: ${field}(input: $i${index}) ${selection}`);
      const variables = Object.fromEntries(part.map(([index, input]) => [`i${index}`, input]));
      const query = `${operation} Sidebar(${head.join(", ")}) { ${body.join(" ")} }`;
      const { data, errors } = await this.ask(`/graphql${parameters}`, {
        operationName: "Sidebar",
        query,
        variables,
      });
      if (errors?.length) {
        throw new Error(errors[0].message ?? errors[0]);
      }
      answers.push(...part.map(([index]) => data[`f${index}`]));
    }
    return answers;
  }

  /**
   * Search runs.
   *
   * @param {{experimentIds: string[], filter?: string, maxResults: number, orderBy?: string[],
   *   pageToken?: string}[]} searches
   * @param {string} [more] what is to be selected of a run besides its basic data
   * @returns {Promise<Page[]>}
   */
  async runs(searches, more = "") {
    const inputs = searches.map((search) => ({ orderBy: ["attributes.start_time DESC"], ...search }));
    const selection = `{ nextPageToken runs { ${INFO} ${more} } }`;
    const answers = await this._fields("mutation", "mlflowSearchRuns", inputs, selection);
    return answers.map(({ runs, nextPageToken }) => ({ found: (runs ?? []).map(toRun), token: nextPageToken }));
  }

  /** A page of top-level runs: MLflow before 3.12 finds them only among all. @returns {Promise<Page>} */
  async topLevel(search) {
    if (this.isTop) {
      try {
        return (await this.runs([{ ...search, filter: this.isTop }]))[0];
      } catch (/** @type {any} */ error) {
        if (!/null/i.test(error.message)) throw error;
        this.isTop = ""; // MLflow <3.12
      }
    }
    let page;
    do {
      const next = { ...search, maxResults: 100, pageToken: page?.token ?? search.pageToken };
      [page] = await this.runs([next], `data { tags ${PAIRS} }`);
      page.found = page.found.filter((run) => !run.parent);
    } while (!page.found.length && page.token);
    return page;
  }

  /** Which of the runs have nested ones? @param {Run[]} runs @returns {Promise<Set<string>>} their IDs */
  async parents(runs) {
    if (!runs.length) return new Set();
    const experimentIds = [...new Set(runs.map(({ experiment }) => experiment))];
    const [nested] = await this.runs([{ experimentIds, filter: "tags.mlflow.parentRunId LIKE '%'", maxResults: 1 }]);
    if (!nested.found.length) return new Set();
    const ofParent = (run) => ({
      experimentIds: [run.experiment],
      filter: `tags.mlflow.parentRunId = '${run.id}'`,
      maxResults: 1,
    });
    const pages = await this.runs(runs.map(ofParent));
    return new Set(runs.filter((_, index) => pages[index].found.length).map(({ id }) => id));
  }

  /** When the last runs of these experiments were started, in ms. @param {string[]} ids @param {number} maxResults */
  async lastRuns(ids, maxResults) {
    const search = { experimentIds: ids, maxResults, orderBy: ["attributes.start_time DESC"] };
    const selection = "{ runs { info { experimentId startTime } } }";
    const [{ runs }] = await this._fields("mutation", "mlflowSearchRuns", [search], selection);
    return (runs ?? []).map(({ info }) => [info.experimentId, Number(info.startTime)]);
  }

  /** A run with its metrics, parameters and tags. @param {string} runId */
  async run(runId) {
    const data = `data { metrics { key value step timestamp } params ${PAIRS} tags ${PAIRS} }`;
    const selection = `{ run { ${INFO} ${data} outputs { modelOutputs { modelId } } } }`;
    const [{ run }] = await this._fields("query", "mlflowGetRun", [{ runId }], selection);
    return { ...toRun(run), models: run.outputs?.modelOutputs ?? [], ...run.data };
  }

  /** The names of a run's metrics and parameters. @param {string} runId */
  async keys(runId) {
    const selection = "{ run { data { metrics { key } params { key } } } }";
    const [{ run }] = await this._fields("query", "mlflowGetRun", [{ runId }], selection);
    const names = (pairs = []) => pairs.map(({ key }) => key).sort();
    return { metrics: names(run.data?.metrics), params: names(run.data?.params) };
  }

  /** Values of a parameter, by the IDs of the runs. @param {string[]} runIds @param {string} key */
  async params(runIds, key) {
    const queries = runIds.map((runId) => ({ runId }));
    const selection = `{ run { data { params ${PAIRS} } } }`;
    const runs = await this._fields("query", "mlflowGetRun", queries, selection);
    const value = ({ run }) => run.data?.params?.find((pair) => pair.key === key)?.value;
    return new Map(runs.map((run, index) => [runIds[index], value(run)]));
  }

  /** Samples of the history of metrics. @param {{runIds: string[], metricKey: string}[]} queries
   * @param {number} max of each run; MLflow reads it in the address
   * @returns {Promise<(Metric & {runId: string})[][]>} */
  async histories(queries, max) {
    const field = "mlflowGetMetricHistoryBulkInterval";
    const selection = "{ metrics { runId value step timestamp } }";
    const answers = await this._fields("query", field, queries, selection, `?max_results=${max}`);
    return answers.map(({ metrics }) => metrics ?? []);
  }

  /** Experiments, the last changed first. @param {object} search */
  async experiments(search) {
    const body = { order_by: ["last_update_time DESC"], view_type: "ACTIVE_ONLY", ...search };
    const { experiments = [], next_page_token } = await this.ask("experiments/search", body);
    return { found: experiments, token: next_page_token };
  }

  /** Traces, the latest first; none where MLflow has none. @param {string[]} ids @param {number} max_results */
  async traces(ids, max_results) {
    const location = (experiment_id) => ({ type: "MLFLOW_EXPERIMENT", mlflow_experiment: { experiment_id } });
    const body = { locations: ids.map(location), max_results, order_by: ["timestamp_ms DESC"] };
    const { traces = [] } = await this.ask("/ajax-api/3.0/mlflow/traces/search", body).catch(() => ({}));
    return traces;
  }

  /** Registered models, or prompts. @param {boolean} isPrompt @param {string} [token] @returns {Promise<Page>} */
  async models(isPrompt, token) {
    const search = { order_by: "last_updated_timestamp DESC", ...(isPrompt && { filter: PROMPTS }) };
    return this._registry("registered-models/search", "registered_models", search, token);
  }

  /** A model's versions, the latest first. @param {any} model @param {boolean} isPrompt @returns {Promise<Page>} */
  async versions({ name, latest_versions = [] }, isPrompt, token) {
    if (name.includes("'") && name.includes('"')) {
      return { found: latest_versions }; // no filter can name it
    }
    const filter = `name=${quoted(name)}${isPrompt ? ` AND ${PROMPTS}` : ""}`;
    const search = { filter, order_by: "version_number DESC" };
    return this._registry("model-versions/search", "model_versions", search, token);
  }

  async _registry(path, field, search, page_token = "") {
    const parameters = new URLSearchParams({ max_results: "50", ...search, page_token });
    const answer = await this.ask(`${path}?${parameters}`);
    return { found: answer[field] ?? [], token: answer.next_page_token };
  }
}

/** @returns {Run} */
function toRun({ info, data }) {
  const { runId: id, runName: name, experimentId: experiment, status, startTime, endTime } = info;
  const parent = data?.tags?.find(({ key }) => key === "mlflow.parentRunId")?.value;
  return { id, name: name || id, experiment, status, start: Number(startTime), end: Number(endTime), parent };
}
