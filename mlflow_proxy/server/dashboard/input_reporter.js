// Part of every dashboard page, before MLflow's own scripts. A user's requests look like those of the
// page's own refresh, so each request gets a header with the seconds since the user's last input. A
// page without input for a long time holds its requests until there is one, because a hub's proxy
// counts every request as activity. Each request also gets Jupyter's XSRF token, which a page of
// another user cannot read. The element's data has the addresses (see middleware/pages.py).
"use strict";

(() => {
  const REPORT_INTERVAL = 60e3; // milliseconds; an input without a request is reported this late
  const INPUTS = ["pointerdown", "keydown", "wheel", "touchmove"]; // `scroll` may be a script's

  const { base: root, idleHeader, input, pauseAfter } = document.currentScript.dataset;
  const base = new URL(root, location.href).href;
  const pauseAfterMs = 1e3 * Number(pauseAfter) || Infinity;
  const plainFetch = window.fetch;
  let lastInput = Date.now(); // a user has just opened the page
  let lastSent = lastInput;
  let reporting = null;
  let held = [];

  const idle = () => Math.max(0, Date.now() - lastInput);

  function isOurs(target) {
    try {
      return new URL(target instanceof Request ? target.url : target, base).href.startsWith(base);
    } catch {
      return false; // not an address: the browser reports it
    }
  }

  function mark(set) {
    lastSent = Date.now();
    set(idleHeader, (idle() / 1e3).toFixed(1));
    const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
    if (token) set("X-XSRFToken", token);
  }

  window.fetch = function (target, options) {
    if (!isOurs(target)) return plainFetch.call(window, target, options);
    const isRequest = target instanceof Request;
    const send = () => {
      const headers = new Headers(options?.headers ?? (isRequest ? target.headers : undefined));
      mark((name, value) => headers.set(name, value));
      return plainFetch.call(window, target, { ...options, headers });
    };
    if (idle() < pauseAfterMs) return send();
    const signal = options?.signal ?? (isRequest ? target.signal : undefined);
    return new Promise((release) => {
      held.push(release);
      signal?.addEventListener("abort", release);
    }).then(send);
  };

  // MLflow polls with `fetch`. Other requests are not held.
  const { open, send } = XMLHttpRequest.prototype;
  const ours = new WeakSet();
  XMLHttpRequest.prototype.open = function (method, target, ...rest) {
    open.call(this, method, target, ...rest);
    if (isOurs(target)) ours.add(this);
    else ours.delete(this);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (ours.has(this)) mark((name, value) => this.setRequestHeader(name, value));
    send.call(this, body);
  };

  function report() {
    reporting = null;
    if (lastSent >= lastInput) return; // another request has reported it
    window.fetch(`${base}${input}`, { cache: "no-store" }).catch(() => {});
  }

  function onInput(event) {
    if (!event.isTrusted) return; // sent by a script
    lastInput = Date.now();
    held.forEach((release) => release());
    held = [];
    reporting ??= setTimeout(report, Math.max(0, lastSent + REPORT_INTERVAL - lastInput));
  }

  for (const name of INPUTS) {
    window.addEventListener(name, onInput, { capture: true, passive: true });
  }
})();
