// Code for the user's notebook.

/** A Python literal of any text; what is invisible or turns the direction of reading is escaped. */
const literal = (text) =>
  JSON.stringify(text).replace(
    /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu,
    (character) => `\\U${character.codePointAt(0)?.toString(16).padStart(8, "0")}`,
  );

const code = (text) => `import mlflow\n\n${text}`;

export const loadRun = (id) => code(`run = mlflow.get_run(${literal(id)})`);
export const loadModel = (uri) => code(`model = mlflow.pyfunc.load_model(${literal(uri)})`);
export const continueRun = (id) => code(`with mlflow.start_run(run_id=${literal(id)}):\n    ...`);
export const downloadArtifacts = (id) =>
  code(`folder = mlflow.artifacts.download_artifacts(run_id=${literal(id)}, artifact_path="")`);

/** The URI of the last model that a run logged, if it logged one. @param {Record<string, any>} run */
export function modelOf({ info, data, outputs }) {
  const logged = outputs?.model_outputs?.at(-1); // since MLflow 3
  if (logged) {
    return `models:/${logged.model_id}`;
  }
  const history = data?.tags?.find(({ key }) => key === "mlflow.log-model.history")?.value ?? "";
  const path = [...history.matchAll(/"artifact_path": "([^"]+)"/g)].at(-1)?.[1];
  return path && `runs:/${info.run_id}/${path}`;
}
