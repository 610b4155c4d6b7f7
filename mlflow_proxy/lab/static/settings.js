// The settings form: the user's own settings, and the server's to read.

const PLUGIN = "jupyter-mlflow-proxy:plugin";

/**
 * Load the user's settings; the server's are shown with them as soon as they are known.
 *
 * @param {any} registry JupyterLab's ISettingRegistry, if the application has one
 * @param {import("./server.js").Server} server
 * @returns {Promise<any>} the settings, or null
 */
export async function loadSettings(registry, server) {
  if (!registry) {
    return null;
  }
  let known = {};
  registry.transform(PLUGIN, {
    fetch: (plugin) => {
      plugin.schema.properties.server.default = known;
      return plugin;
    },
  });
  const settings = await registry.load(PLUGIN);
  server.status().then(async (status) => {
    known = status.settings;
    await registry.reload(PLUGIN);
  }, () => {}); // the server extension is disabled
  return settings;
}
