// The settings form: the user's own settings, and the server's as a table to read.

const PLUGIN = "jupyter-mlflow-proxy:plugin";

/**
 * Load the user's settings; the server's are shown with them as soon as they are known.
 *
 * @param {Record<string, any>} lab JupyterLab's packages
 * @param {any} registry JupyterLab's ISettingRegistry, if the application has one
 * @param {import("./server.js").Server} server
 * @param {any} forms JupyterLab's IFormRendererRegistry, if the application has one
 * @returns {Promise<any>} the settings, or null
 */
export async function loadSettings({ react }, registry, server, forms) {
  if (!registry) {
    return null;
  }
  /** @type {Record<string, string>} */
  let known = {};
  // Unless the user has chosen, links open where the tile does.
  const links = () => (known.new_browser_tab === "False" ? "tab" : "browser");
  registry.transform(PLUGIN, {
    fetch: (plugin) => {
      plugin.schema.properties.openLinks.default = links();
      return plugin;
    },
    compose: (plugin) => {
      const { composite, user } = plugin.data;
      const openLinks = user?.openLinks ?? links();
      plugin.data = { ...plugin.data, composite: { ...composite, openLinks } };
      return plugin;
    },
  });
  forms?.addRenderer?.(`${PLUGIN}.server`, { fieldRenderer: (props) => settingsTable(react, props.schema, known) });
  const settings = await registry.load(PLUGIN);
  server.status().then(async (status) => {
    known = status.settings;
    await registry.reload(PLUGIN);
  }, () => {}); // the server extension is disabled
  return settings;
}

/** A table for React. @param {any} react @param {any} schema @param {Record<string, string>} values */
function settingsTable({ createElement: make }, { title, description }, values) {
  const line = ([name, value]) =>
    make("tr", { key: name }, make("th", { scope: "row" }, `c.MLflowProxy.${name}`), make("td", null, value || "–"));
  return make(
    "div",
    { className: "jp-mlflow-settings" },
    make("h3", null, title),
    make("p", null, description),
    make("table", null, make("tbody", null, ...Object.entries(values).map(line))),
  );
}
