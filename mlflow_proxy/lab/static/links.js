// Links to the dashboard, e.g. those below cells, where the user has them open in JupyterLab's tab.

/** @param {import("./store.js").Store} store @param {(path: string) => any} open */
export function openLinksInTab(store, open) {
  const opensInTab = () => {
    const { openLinks } = store.settings?.composite ?? {};
    return openLinks === "tab" || (openLinks === "tile" && store.model.settings.new_browser_tab === "False");
  };
  const dashboard = new URL(store.server.url, location.href).href;
  const take = (event, href) => {
    if (opensInTab() && href?.startsWith(`${dashboard}#`)) {
      event.preventDefault();
      event.stopPropagation();
      open(href.slice(dashboard.length));
    }
  };
  document.addEventListener("click", (/** @type {any} */ event) => {
    const isPlain = !(event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (isPlain) {
      take(event, event.target.closest?.("a[href]")?.href);
    }
  }, true);
  // MLflow's trace page, below a cell (see trace_links.js).
  window.addEventListener("mlflow-link", (/** @type {any} */ event) => take(event, event.detail));
}
