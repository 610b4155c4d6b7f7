// The container that JupyterLab expects of a prebuilt extension, written by hand: it is handed the
// packages that all extensions share, and gives this extension's plugin.
(() => {
  const folder = new URL(".", document.currentScript.src);
  let scope;
  const container = {
    init(shared) {
      scope = shared;
    },
    async get() {
      const { plugin } = await import(new URL("extension.js", folder));
      const { load } = await import(new URL("packages.js", folder));
      const module = { __esModule: true, default: plugin(await load(scope)) };
      return () => module;
    },
  };
  window._JUPYTERLAB = { ...window._JUPYTERLAB, "jupyter-mlflow-proxy": container };
})();
