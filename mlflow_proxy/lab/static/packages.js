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

/**
 * Load the packages by their short names; `{}` stands for one that the application has not.
 *
 * @param {Record<string, Record<string, any>>} scope package names, then versions
 * @returns {Promise<Record<keyof typeof NAMES, any>>}
 */
export async function load(scope) {
  const found = Object.entries(NAMES).map(async ([key, name]) => [key, await one(scope[name])]);
  return Object.fromEntries(await Promise.all(found));
}

/** @param {Record<string, any> | undefined} versions */
async function one(versions) {
  const all = Object.values(versions ?? {});
  // The application's is loaded; an extension may bring another version of its own.
  const chosen = all.find((each) => each.loaded) ?? all[0];
  return chosen ? (await chosen.get())() : {};
}
