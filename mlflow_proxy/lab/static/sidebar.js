// Experiments and their latest runs, beside the notebook.

/**
 * @param {import("./extension.js").Parts} parts
 * @param {any} restorer JupyterLab's ILayoutRestorer, if the application has one
 * @param {any} notebooks JupyterLab's INotebookTracker, if the application has one
 */
export function addSidebar(parts, restorer, notebooks) {}
