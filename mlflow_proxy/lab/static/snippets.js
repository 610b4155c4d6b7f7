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
