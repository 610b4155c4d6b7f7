// Code for the user's notebook.

/** A Python literal of any text; what is invisible or turns the direction of reading is escaped. */
const literal = (text) =>
  JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`,
  );

const code = (text) => `import mlflow\n\n${text}`;

const list = (texts) => `[${texts.map(literal).join(", ")}]`;

export const loadRun = (id) => code(`run = mlflow.get_run(${literal(id)})`);
export const loadModel = (uri) => code(`model = mlflow.pyfunc.load_model(${literal(uri)})`);
export const loadPrompt = (uri) => code(`prompt = mlflow.genai.load_prompt(${literal(uri)})`);
export const continueRun = (id) => code(`with mlflow.start_run(run_id=${literal(id)}):\n    ...`);
export const downloadArtifacts = (id) =>
  code(`folder = mlflow.artifacts.download_artifacts(run_id=${literal(id)}, artifact_path="")`);

/** @param {string[]} ids of runs @param {string[]} experiments the IDs of theirs */
export const searchRuns = (ids, experiments) => code(`runs = mlflow.search_runs(
    experiment_ids=${list(experiments)},
    filter_string=${literal(`attributes.run_id IN (${ids.map((id) => `'${id}'`).join(", ")})`)},
)
runs`);

/** A server of the model, with the notebook's own packages. No shell reads the name. @param {string} uri */
export const serveModel = (uri) => `import subprocess
import sys

# It answers POST http://127.0.0.1:5001/invocations until server.terminate()
server = subprocess.Popen(
    [sys.executable, "-m", "mlflow", "models", "serve", "--env-manager", "local", "--port", "5001"]
    + ["--model-uri", ${literal(uri)}]
)`;

/** The URI of the last model that a run logged, if it logged one. @param {{id: string, models?: any[], tags?: any[]}} run */
export function modelOf({ id, models, tags }) {
  const logged = models?.at(-1); // since MLflow 3
  if (logged) {
    return `models:/${logged.modelId}`;
  }
  const history = tags?.find(({ key }) => key === "mlflow.log-model.history")?.value ?? "";
  const path = [...history.matchAll(/"artifact_path": "([^"]+)"/g)].at(-1)?.[1];
  return path && `runs:/${id}/${path}`;
}
