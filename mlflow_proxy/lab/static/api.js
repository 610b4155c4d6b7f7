// MLflow's API, asked for what is shown. REST answers with whole runs, of which one may have thousands
// of metrics; GraphQL, which MLflow's dashboard uses too, answers with the fields that are named.

const MAX_FIELDS = 10; // of one request, see MLFLOW_SERVER_GRAPHQL_MAX_ROOT_FIELDS
const INFO = "info { runId runName experimentId status startTime endTime }";
const PAIRS = "{ key value }";
const STATUSES = { OK: "FINISHED", ERROR: "FAILED", IN_PROGRESS: "RUNNING" }; // of traces, as those of runs
const PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'";

/** @typedef {{id: string, name: string, experiment: string, status: string, start: number, end: number,
 *   parent?: string}} Run times in ms
 * @typedef {{experimentIds: string[], maxResults: number, filter?: string, orderBy?: string[],
 *   pageToken?: string}} RunSearch
 * @typedef {{found: any[], token?: string}} Page each has an `id`; the next page's token
 */

/** A text in MLflow's filter language, which knows no escapes. @param {string} text */
export const quoted = (text) => (text.includes("'") ? `"${text.replaceAll('"', "_")}"` : `'${text}'`);

export class Api {
  /** @param {import("./server.js").Server} server */
  constructor(server) {
    this._server = server;
    this._lastInput = -Infinity;
    this._knowsTop = true; // MLflow 3.12 and newer find runs without a parent
    /** What is asked for at the same time, by the kind of request. @type {Map<string, any[]>} */
    this._queues = new Map();
  }

  /** Note the user's input into `node`. @param {HTMLElement} node */
  follow(node) {
    const note = () => (this._lastInput = performance.now());
    for (const type of ["pointerdown", "keydown", "wheel"]) {
      node.addEventListener(type, note, { capture: true, passive: true });
    }
  }

  /** Ask MLflow. It counts as use at the time of the last input. @param {string} path @param {object} [body] */
  ask(path, body) {
    return this._server.mlflow(path, body, (performance.now() - this._lastInput) / 1000);
  }

  /** Ask one field of GraphQL. Those that are asked for at the same time go in as few requests as MLflow allows.
   * @param {string} operation "query" or "mutation", perhaps with parameters of the address @returns {Promise<any>}
   */
  _field(operation, field, input, selection) {
    return new Promise((resolve, reject) => {
      const queue = this._queues.get(operation) ?? [];
      this._queues.set(operation, queue);
      queue.push({ field, input, selection, resolve, reject });
      setTimeout(() => queue.length && this._send(operation, queue.splice(0, MAX_FIELDS)));
    });
  }

  async _send(operation, fields) {
    const [kind, parameters = ""] = operation.split("?");
    const type = (field) => `${field[0].toUpperCase()}${field.slice(1)}Input!`;
    const head = fields.map(({ field }, index) => `$i${index}: ${type(field)}`);
    const body = fields.map(({ field, selection }, index) => `f${index}: ${field}(input: $i${index}) ${selection}`);
    const variables = Object.fromEntries(fields.map(({ input }, index) => [`i${index}`, input]));
    const query = `${kind} Sidebar(${head.join(", ")}) { ${body.join(" ")} }`;
    try {
      const request = { operationName: "Sidebar", query, variables };
      const { data, errors } = await this.ask(`/graphql?${parameters}`, request);
      const error = new Error(errors?.[0]?.message ?? errors?.[0]);
      const answers = fields.map((_, index) => data?.[`f${index}`]);
      fields.forEach(({ resolve, reject }, index) => (answers[index] ? resolve(answers[index]) : reject(error)));
    } catch (error) {
      fields.forEach(({ reject }) => reject(error));
    }
  }

  /** Search runs, the newest first. @param {RunSearch} search @returns {Promise<Page>} */
  async runs(search, selection = INFO) {
    const input = { orderBy: ["attributes.start_time DESC"], ...search };
    const answer = `{ nextPageToken runs { ${selection} } }`;
    const { runs, nextPageToken } = await this._field("mutation", "mlflowSearchRuns", input, answer);
    return { found: (runs ?? []).map(toRun), token: nextPageToken };
  }

  /** Runs without a parent: MLflow before 3.12 finds them only among all. @param {RunSearch} search */
  async topLevel(search) {
    if (this._knowsTop) {
      try {
        return await this.runs({ ...search, filter: "tags.mlflow.parentRunId IS NULL" });
      } catch (/** @type {any} */ error) {
        if (!/null/i.test(error.message)) throw error;
        this._knowsTop = false;
      }
    }
    const { found, token } = await this.runs({ ...search, maxResults: 200 }, `${INFO} data { tags ${PAIRS} }`);
    return { found: found.filter((run) => !run.parent), token };
  }

  /** Which of the runs have nested ones? @param {Run[]} runs @returns {Promise<string[]>} their IDs */
  async parents(runs) {
    const experimentIds = [...new Set(runs.map(({ experiment }) => experiment))];
    const hasNested = async (filter) => {
      const search = { experimentIds, filter: `tags.mlflow.parentRunId ${filter}`, maxResults: 1 };
      return (await this.runs(search)).found.length > 0;
    };
    if (!runs.length || !(await hasNested("LIKE '%'"))) return [];
    const answers = await Promise.all(runs.map(({ id }) => hasNested(`= '${id}'`)));
    return runs.filter((_, index) => answers[index]).map(({ id }) => id);
  }

  /** A run with its metrics, parameters and tags. @param {string} runId */
  async run(runId) {
    const data = `data { metrics { key value timestamp } params ${PAIRS} tags ${PAIRS} }`;
    const run = await this._run(runId, `${INFO} ${data} outputs { modelOutputs { modelId } }`);
    const { metrics, params, tags } = run.data;
    const models = run.outputs?.modelOutputs ?? [];
    return { ...toRun(run), models, metrics: metrics ?? [], params: params ?? [], tags: tags ?? [] };
  }

  /** The names of a run's metrics and parameters. @param {string} runId */
  async keys(runId) {
    const { data } = await this._run(runId, "data { metrics { key } params { key } }");
    const names = (pairs) => (pairs ?? []).map(({ key }) => key).sort();
    return { metrics: names(data.metrics), params: names(data.params) };
  }

  async _run(runId, selection) {
    return (await this._field("query", "mlflowGetRun", { runId }, `{ run { ${selection} } }`)).run;
  }

  /** Last values of a metric or parameter, by the IDs of the runs. @param {string[]} runIds */
  async values(runIds, { key, kind }) {
    if (!key) return new Map();
    if (kind === "metrics") {
      const points = await this.history(runIds, key, 2);
      return new Map(points.map(({ runId, value }) => [runId, value])); // the last of each run comes last
    }
    const runs = await Promise.all(runIds.map((runId) => this._run(runId, `data { params ${PAIRS} }`)));
    const value = ({ data }) => data?.params?.find((pair) => pair.key === key)?.value;
    return new Map(runs.map((run, index) => [runIds[index], value(run)]));
  }

  /** Samples of the history of a metric. @param {number} max of each run; MLflow reads it in the address
   * @returns {Promise<{runId: string, value: number|null}[]>}
   */
  async history(runIds, metricKey, max) {
    const [field, selection] = ["mlflowGetMetricHistoryBulkInterval", "{ metrics { runId value } }"];
    return (await this._field(`query?max_results=${max}`, field, { runIds, metricKey }, selection)).metrics ?? [];
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
      status: STATUSES[trace.state] ?? trace.state,
      start: Date.parse(trace.request_time),
      took: parseFloat(trace.execution_duration) * 1000,
      preview: (trace.request_preview ?? "").slice(0, 200),
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
    }));
  }

  /** A model's versions, the latest first. @param {any} model @param {"model"|"prompt"} kind */
  async versions({ name, aliases }, kind, token) {
    const toVersion = ({ version, run_id, status, creation_timestamp }) => {
      const own = aliases.filter((each) => each.version === version).map(({ alias }) => alias);
      const uri = `${kind}s:/${name}${own.length ? `@${own[0]}` : `/${version}`}`;
      return { id: version, name, run: run_id, state: status, created: Number(creation_timestamp), aliases: own, uri };
    };
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
