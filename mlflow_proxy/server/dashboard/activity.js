// Part of every dashboard page, before MLflow's own scripts. Nothing tells the requests of a person's
// click from those of the page's own refresh, so each gets a header with the seconds since the
// person's last input. A page that nobody has touched for long holds its requests until somebody
// does: a proxy in front that takes every request for activity sees none from it.
"use strict";

(() => {
  const HEADER = "X-MLflow-Proxy-Idle"; // see activity.py
  const REPORT_INTERVAL = 60e3; // milliseconds; an input that causes no request is told this late
  const INPUTS = ["pointerdown", "keydown", "wheel", "touchmove"]; // scripts cause `scroll`, too

  const base = new URL(".", location.href).href;
  const holdAfter = 1e3 * Number(document.currentScript.dataset.holdAfter) || Infinity;
  const plainFetch = window.fetch;
  let lastInput = Date.now(); // somebody has just opened the page
  let lastSent = lastInput;
  let reporting = null;
  let held = [];

  const idle = () => Math.max(0, Date.now() - lastInput);

  function isOurs(target) {
    try {
      return new URL(target instanceof Request ? target.url : target, base).href.startsWith(base);
    } catch {
      return false; // an address that is none: the browser says so
    }
  }

  function mark(set) {
    lastSent = Date.now();
    set(HEADER, (idle() / 1e3).toFixed(1));
  }

  window.fetch = function (target, options) {
    if (!isOurs(target)) return plainFetch.call(window, target, options);
    const isRequest = target instanceof Request;
    const send = () => {
      const headers = new Headers(options?.headers ?? (isRequest ? target.headers : undefined));
      mark((name, value) => headers.set(name, value));
      return plainFetch.call(window, target, { ...options, headers });
    };
    if (idle() < holdAfter) return send();
    const signal = options?.signal ?? (isRequest ? target.signal : undefined);
    return new Promise((release) => {
      held.push(release);
      signal?.addEventListener("abort", release);
    }).then(send);
  };

  // What MLflow polls, it polls with `fetch`; what else there is, is not held.
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
    if (lastSent >= lastInput) return; // another request has told
    window.fetch(`${base}_proxy/activity`, { cache: "no-store" }).catch(() => {});
  }

  function onInput(event) {
    if (!event.isTrusted) return; // a script's
    lastInput = Date.now();
    held.forEach((release) => release());
    held = [];
    reporting ??= setTimeout(report, Math.max(0, lastSent + REPORT_INTERVAL - lastInput));
  }

  for (const name of INPUTS) {
    window.addEventListener(name, onInput, { capture: true, passive: true });
  }
})();
