// JupyterLab's own packages, out of the scope that it shares with its extensions.

const NAMES = {
  application: "@jupyterlab/application",
  apputils: "@jupyterlab/apputils",
  coreutils: "@jupyterlab/coreutils",
  notebook: "@jupyterlab/notebook",
  react: "react",
  running: "@jupyterlab/running",
  services: "@jupyterlab/services",
  settings: "@jupyterlab/settingregistry",
  signaling: "@lumino/signaling",
  statedb: "@jupyterlab/statedb",
  translation: "@jupyterlab/translation",
  ui: "@jupyterlab/ui-components",
  widgets: "@lumino/widgets",
};

/** The packages by their short names; `{}` stands for one that the application has not. */
export const lab = /** @type {Record<keyof typeof NAMES, any>} */ ({});

/** Make an element of React's. What MLflow tells is text in it, never markup. */
export const h = (type, props = {}, ...children) => lab.react.createElement(type, props, ...children);

/** A widget that shows what `draw` makes of the state. @param {{changed: any}} state @param {() => any} draw */
export const viewOf = ({ changed }, draw) => lab.ui.ReactWidget.create(h(lab.ui.UseSignal, { signal: changed }, draw));

/** The texts, in the user's language once that is known. */
export const trans = { __: (text, ...values) => bundle.__(text, ...values) };
let bundle;

/** @param {any} translator JupyterLab's ITranslator, if the application has one */
export function setLanguage(translator) {
  bundle = (translator ?? lab.translation.nullTranslator).load("jupyter-mlflow-proxy");
}

/** Load the packages. @param {Record<string, Record<string, any>>} scope package names, then versions */
export async function load(scope) {
  await Promise.all(Object.entries(NAMES).map(async ([key, name]) => (lab[key] = await one(scope[name]))));
}

/** @param {Record<string, any> | undefined} versions */
async function one(versions) {
  const all = Object.values(versions ?? {});
  // The application's is loaded; an extension may bring another version of its own.
  const chosen = all.find((each) => each.loaded) ?? all[0];
  return chosen ? (await chosen.get())() : {};
}
