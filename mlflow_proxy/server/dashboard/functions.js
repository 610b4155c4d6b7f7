// Part of every dashboard page, before MLflow's own scripts. Plotly creates functions from text, to draw
// with WebGL and, in older MLflow, to start at all. The page's policy forbids `eval` and the like, so
// that they cannot run stored content. This allows `Function` alone.
"use strict";

(() => {
  const NAME = "__jupyterMlflowFunction";
  const { nonce } = document.currentScript;

  function make(parts) {
    // MLflow <3.11: js-yaml passes parameters as an array, for a function in a model's MLmodel.
    if (parts.some((part) => typeof part !== "string")) throw new EvalError("Not made of text");
    const body = parts.at(-1) ?? "";
    const script = document.createElement("script");
    script.nonce = nonce;
    script.textContent = `window.${NAME} = function (${parts.slice(0, -1)}\n) {\n${body}\n};`;
    document.head.append(script); // which runs it
    script.remove();
    const made = window[NAME];
    delete window[NAME];
    if (!made) throw new SyntaxError("Not a function");
    return made;
  }

  window.Function = new Proxy(Function, {
    apply: (target, self, parts) => make(parts),
    construct: (target, parts) => make(parts),
  });
})();
