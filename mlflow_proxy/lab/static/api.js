// MLflow's API, asked for what is shown. REST answers with whole runs, of which one may have thousands
// of metrics; GraphQL, which MLflow's dashboard uses too, answers with the fields that are named.

const MAX_FIELDS = 10; // of one request, see MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS
const INFO = "info { runId runName experimentId status startTime endTime }";
const PAIRS = "{ key value }";
const PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'";

/** @typedef {{id: string, name: string, experiment: string, status: string, start: number, end: number,
 *   parent?: string}} Run times in ms
 * @typedef {{found: any[], token?: string}} Page each has an `id`; the next page's token
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

  /** Ask MLflow. It counts as use of MLflow at the time of the last input. @param {string} path @param {object} [body] */
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
      const request = { operationName: "Sidebar", query, variables };
      const { data, errors } = await this.ask(`/graphql${parameters}`, request);
      if (errors?.length) {
        throw new Error(errors[0].message ?? errors[0]);
      }
      answers.push(...part.map(([index]) => data[`f${index}`]));
    }
    return answers;
  }

  /**
   * Search runs, the newest first.
   *
   * @param {{experimentIds: string[], filter?: string, maxResults: number, orderBy?: string[],
   *   pageToken?: string}[]} searches
   * @param {string} [more] what is to be selected of a run besides `selection`
   * @returns {Promise<Page[]>}
   */
  async runs(searches, more = "", selection = INFO) {
    const inputs = searches.map((search) => ({ orderBy: ["attributes.start_time DESC"], ...search }));
    const fields = `{ nextPageToken runs { ${selection} ${more} } }`;
    const answers = await this._fields("mutation", "mlflowSearchRuns", inputs, fields);
    return answers.map(({ runs, nextPageToken }) => ({ found: (runs ?? []).map(toRun), token: nextPageToken }));
  }

  /** A page of runs that have no parent: MLflow before 3.12 finds them only among all. @returns {Promise<Page>} */
  async topLevel(search) {
    if (this.isTop) {
      try {
        return (await this.runs([{ ...search, filter: this.isTop }]))[0];
      } catch (/** @type {any} */ error) {
        if (!/null/i.test(error.message)) throw error;
        this.isTop = ""; // MLflow <3.12
      }
    }
    const [page] = await this.runs([{ ...search, maxResults: 200 }], `data { tags ${PAIRS} }`);
    return { ...page, found: page.found.filter((run) => !run.parent) };
  }

  /** Which of the runs have nested ones? @param {Run[]} runs @returns {Promise<string[]>} their IDs */
  async parents(runs) {
    if (!runs.length) return [];
    const experimentIds = [...new Set(runs.map(({ experiment }) => experiment))];
    const search = (filter) => ({ experimentIds, filter: `tags.mlflow.parentRunId ${filter}`, maxResults: 1 });
    const [nested] = await this.runs([search("LIKE '%'")]);
    if (!nested.found.length) return [];
    const pages = await this.runs(runs.map(({ id }) => search(`= '${id}'`)));
    return runs.filter((_, index) => pages[index].found.length).map(({ id }) => id);
  }

  /** The experiments and starts of the last runs of these experiments. @param {string[]} experimentIds */
  async lastRuns(experimentIds, maxResults) {
    if (!experimentIds.length) return [];
    return (await this.runs([{ experimentIds, maxResults }], "", "info { experimentId startTime }"))[0].found;
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
    const names = (pairs) => (pairs ?? []).map(({ key }) => key).sort();
    return { metrics: names(run.data?.metrics), params: names(run.data?.params) };
  }

  /** Last values of a metric or parameter, by the IDs of the runs. @param {string[]} runIds */
  async values(runIds, { key, kind }) {
    if (kind === "metrics") {
      const [points] = key ? await this.histories([{ runIds, metricKey: key }], 2) : [[]];
      return new Map(points.map(({ runId, value }) => [runId, value])); // the last of each run comes last
    }
    const inputs = runIds.map((runId) => ({ runId }));
    const runs = await this._fields("query", "mlflowGetRun", inputs, `{ run { data { params ${PAIRS} } } }`);
    const value = ({ run }) => run.data?.params?.find((pair) => pair.key === key)?.value;
    return new Map(runs.map((run, index) => [runIds[index], value(run)]));
  }

  /**
   * Samples of the histories of metrics.
   *
   * @param {{runIds: string[], metricKey: string}[]} queries
   * @param {number} max of each run; MLflow reads it in the address
   * @returns {Promise<{runId: string, value: number|null, step: string, timestamp: string}[][]>}
   */
  async histories(queries, max) {
    const [field, selection] = ["mlflowGetMetricHistoryBulkInterval", "{ metrics { runId value step timestamp } }"];
    const answers = await this._fields("query", field, queries, selection, `?max_results=${max}`);
    return answers.map(({ metrics }) => metrics ?? []);
  }

  /** Experiments, the last changed first. @param {object} search @returns {Promise<Page>} */
  async experiments(search) {
    const body = { order_by: ["last_update_time DESC"], view_type: "ACTIVE_ONLY", ...search };
    const { experiments = [], next_page_token } = await this.ask("experiments/search", body);
    const found = experiments.map((each) => ({
      id: each.experiment_id,
      name: each.name,
      changed: Number(each.last_update_time),
    }));
    return { found, token: next_page_token };
  }

  /** Traces, the latest first; none where MLflow has none. @param {string[]} ids @param {number} max_results */
  async traces(ids, max_results) {
    const location = (experiment_id) => ({ type: "MLFLOW_EXPERIMENT", mlflow_experiment: { experiment_id } });
    const body = { locations: ids.map(location), max_results, order_by: ["timestamp_ms DESC"] };
    const { traces = [] } = await this.ask("/ajax-api/3.0/mlflow/traces/search", body).catch(() => ({}));
    return traces.map((trace) => ({
      id: trace.trace_id,
      name: trace.tags?.["mlflow.traceName"] || trace.trace_id,
      experiment: trace.trace_location?.mlflow_experiment?.experiment_id,
      state: trace.state,
      start: Date.parse(trace.request_time),
      took: parseFloat(trace.execution_duration) * 1000,
      preview: trace.request_preview ?? "",
    }));
  }

  /** Registered models, or prompts. @param {"model"|"prompt"} kind @param {string} [token] @returns {Promise<Page>} */
  async models(kind, token) {
    const search = { order_by: "last_updated_timestamp DESC", ...(kind === "prompt" && { filter: PROMPTS }) };
    return this._registry("registered-models/search", "registered_models", search, token, (each) => ({
      id: each.name,
      name: each.name,
      uri: `${kind}s:/${each.name}`,
      changed: Number(each.last_updated_timestamp),
      aliases: each.aliases ?? [],
      latest: each.latest_versions ?? [],
    }));
  }

  /** A model's versions, the latest first. @param {any} model @param {"model"|"prompt"} kind @returns {Promise<Page>} */
  async versions({ name, aliases, latest }, kind, token) {
    const toVersion = ({ version, run_id, status, creation_timestamp }) => {
      const own = aliases.filter((each) => each.version === version).map(({ alias }) => alias);
      const uri = `${kind}s:/${name}${own.length ? `@${own[0]}` : `/${version}`}`;
      return { id: version, name, run: run_id, state: status, created: Number(creation_timestamp), aliases: own, uri };
    };
    if (name.includes("'") && name.includes('"')) {
      return { found: latest.map(toVersion) }; // no filter can name it
    }
    const filter = `name=${quoted(name)}${kind === "prompt" ? ` AND ${PROMPTS}` : ""}`;
    const search = { filter, order_by: "version_number DESC" };
    return this._registry("model-versions/search", "model_versions", search, token, toVersion);
  }

  async _registry(path, field, search, page_token = "", toItem) {
    const parameters = new URLSearchParams({ max_results: "50", ...search, page_token });
    const answer = await this.ask(`${path}?${parameters}`);
    return { found: (answer[field] ?? []).map(toItem), token: answer.next_page_token };
  }
}

/** @returns {Run} */
function toRun({ info, data }) {
  const { runId: id, runName: name, experimentId: experiment, status, startTime, endTime } = info;
  const parent = data?.tags?.find(({ key }) => key === "mlflow.parentRunId")?.value;
  return { id, name: name || id, experiment, status, start: Number(startTime), end: Number(endTime), parent };
}
