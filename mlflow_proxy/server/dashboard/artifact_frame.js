// Part of every dashboard page, before MLflow's own scripts. MLflow shows an HTML artifact in a frame
// with a `blob:` address. Such a frame inherits the policy of the page, under which no script of the
// artifact would run. The frame therefore gets a page of ours with its own policy, which asks for the
// artifact.
"use strict";

(() => {
  const { artifactFrame, base } = document.currentScript.dataset;
  const page = new URL(artifactFrame, new URL(base, location.href));
  const { createObjectURL, revokeObjectURL } = URL;
  const { setAttribute } = Element.prototype;
  const documents = new Map(); // address -> HTML, a Blob
  const shown = new WeakMap(); // frame -> HTML

  URL.createObjectURL = (object) => {
    const address = createObjectURL.call(URL, object);
    if (object.type === "text/html") documents.set(address, object);
    return address;
  };

  URL.revokeObjectURL = (address) => {
    documents.delete(address);
    revokeObjectURL.call(URL, address);
  };

  HTMLIFrameElement.prototype.setAttribute = function (name, value) {
    const html = name === "src" && documents.get(value);
    if (html) shown.set(this, html);
    setAttribute.call(this, name, html ? page.href : value);
  };

  window.addEventListener("message", ({ data, source }) => {
    if (data !== page.pathname) return; // see artifact_frame.html
    const frames = [...document.querySelectorAll("iframe")];
    const html = shown.get(frames.find((frame) => frame.contentWindow === source));
    if (html) source.postMessage(html, "*"); // the frame's origin has no name
  });
})();
