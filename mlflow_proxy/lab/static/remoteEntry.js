// The container that JupyterLab expects of a prebuilt extension, written by hand: it is handed the
// packages that all extensions share, and gives this extension's plugin.
(() => {
  const script = /** @type {HTMLScriptElement} */ (document.currentScript);
  let scope;
  const container = {
    init(shared) {
      scope = shared;
    },
    async get() {
      const { load, plugin } = await import(String(new URL("extension.js", script.src)));
      await load(scope);
      const module = { __esModule: true, default: plugin() };
      return () => module;
    },
  };
  const containers = /** @type {any} */ (window);
  containers._JUPYTERLAB = { ...containers._JUPYTERLAB, "jupyter-mlflow-proxy": container };
})();
