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
  /** @type {Record<string, string>} */
  let known = {};
  // Unless the user has chosen, links open where the tile does.
  const links = () => (known.new_browser_tab === "False" ? "tab" : "browser");
  registry.transform(PLUGIN, {
    fetch: (plugin) => {
      // The registry validates with the schema that it has seen first.
      Object.assign(plugin.schema.properties.server, readOnly(known));
      plugin.schema.properties.openLinks.default = links();
      return plugin;
    },
    compose: (plugin) => {
      const { composite, user } = plugin.data;
      const openLinks = user?.openLinks ?? links();
      plugin.data = { ...plugin.data, composite: { ...composite, openLinks, server: known } };
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

/** The part of the schema that shows `values`. @param {Record<string, string>} values */
function readOnly(values) {
  const fields = Object.entries(values).map(([name, value]) => [
    name,
    { title: `c.MLflowProxy.${name}`, type: "string", readOnly: true, default: value },
  ]);
  const properties = Object.fromEntries(fields);
  return fields.length ? { properties, default: values, additionalProperties: false } : {};
}
