// MLflow's dashboard in a tab of JupyterLab.

/**
 * @param {Omit<import("./extension.js").Parts, "open">} parts
 * @param {any} restorer JupyterLab's ILayoutRestorer, if the application has one
 * @param {any} themes JupyterLab's IThemeManager, if the application has one
 * @returns {(path: string) => any} opens the tab at a path below the dashboard's address
 */
export function addTab({ server }, restorer, themes) {
  return (path) => void window.open(server.url + path, "_blank");
}
