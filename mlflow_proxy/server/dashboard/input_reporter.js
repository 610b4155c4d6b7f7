// Part of every dashboard page, before MLflow's own scripts. A user's requests look like those of the
// page's own refresh, so each request gets a header with the seconds since the user's last input. A
// page without input for a long time holds its requests until there is one, because a hub's proxy
// counts every request as activity. Unless a run is watched: the page is visible, shows a run that is
// still running, and had an input within the limit. Each request also gets Jupyter's XSRF token, which
// a page of another user cannot read. The element's data has the addresses (see middleware/pages.py).
"use strict";

(() => {
  const REPORT_INTERVAL = 60e3; // milliseconds; an input without a request is reported this late
  const PAUSED = "Refresh is paused because this page was not used. Click to resume.";
  const LATE = 500; // milliseconds after which a response is late: MLflow may have been stopped
  const UNAVAILABLE = 503;
  // `scroll` may be a script's; a screen reader may cause a `click` alone. The browser's own "Back" button, or
  // an address that the user types, changes the hash: MLflow's scripts use the history instead.
  const INPUTS = ["pointerdown", "click", "keydown", "wheel", "touchmove", "hashchange"];

  const {
    attended, base: root, idleHeader, input, inputMessage, pauseAfter, watchLimit
  } = document.currentScript.dataset;
  const base = new URL(root, location.href).href;
  const attendedMs = 1e3 * Number(attended); // requests until then are the input's
  const pauseAfterMs = 1e3 * Number(pauseAfter) || Infinity;
  const watchLimitMs = 1e3 * Number(watchLimit);
  const plainFetch = window.fetch;
  const NO_STORE = { cache: "no-store" };
  let lastInput = Date.now(); // a user has just opened the page
  let lastSent = lastInput;
  let reporting = null;
  const held = new Set();

  const idle = () => Math.max(0, Date.now() - lastInput);

  // JupyterLab hides the frames of tabs that are not in front. A frame of another site is null.
  const isInFront = () => !window.frameElement || window.frameElement.getClientRects().length > 0;
  const isVisible = () => document.visibilityState === "visible" && isInFront();
  const mayBeWatched = () => isVisible() && idle() < watchLimitMs && watchedRuns.hasAny();

  async function isWatched() {
    return mayBeWatched() && watchedRuns.areRunning((address) => sendNow(address, {}, idle()));
  }

  function isOurs(target) {
    try {
      return new URL(target instanceof Request ? target.url : target, base).href.startsWith(base);
    } catch {
      return false; // not an address: the browser reports it
    }
  }

  const xsrfToken = () => document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];

  function mark(set, milliseconds) {
    lastSent = Date.now();
    set(idleHeader, (milliseconds / 1e3).toFixed(1));
    const token = xsrfToken();
    if (token) set("X-XSRFToken", token);
  }

  function sendNow(target, options, milliseconds) {
    const inherited = target instanceof Request ? target.headers : undefined;
    const headers = new Headers(options?.headers ?? inherited);
    mark((name, value) => headers.set(name, value), milliseconds);
    return plainFetch.call(window, target, { ...options, headers });
  }

  // A page without input holds a request, unless a run is watched. While MLflow is stopped, a request that no
  // input has caused waits for one, too, and is sent anew.
  async function sendWhenReady(target, options) {
    const signal = options?.signal ?? target.signal;
    const isWatchedNow = idle() >= Math.min(attendedMs, pauseAfterMs) && await isWatched();
    if (!isWatchedNow && idle() >= pauseAfterMs) await hold(signal, PAUSED);
    const follow = () => serverState.follow((address) => sendNow(base + address, NO_STORE, idle()));
    const late = setTimeout(follow, LATE);
    const response = await sendNow(target, options, isWatchedNow ? 0 : idle())
      .finally(() => clearTimeout(late));
    if (response.status !== UNAVAILABLE || target instanceof Request) return response;
    const { isAnswer, reason } = await follow();
    if (isAnswer) return response;
    if (reason) await hold(signal, reason);
    return sendWhenReady(target, options);
  }

  window.fetch = async function (requested, options) {
    const target = gatewayAddresses.correct(requested);
    if (!isOurs(target)) return plainFetch.call(window, target, options);
    const response = await sendWhenReady(target, options);
    await watchedRuns.read(response); // MLflow's GraphQL client aborts the request once it has its answer
    return response;
  };

  function hold(signal, reason) {
    notice.show(reason);
    return new Promise((release) => {
      held.add(release);
      signal?.addEventListener("abort", () => {
        release();
        held.delete(release);
        if (held.size === 0) notice.hide();
      });
    });
  }

  function releaseAll(event) {
    held.forEach((release) => release());
    held.clear();
    notice.hide(event);
  }

  // MLflow polls with `fetch`. Other requests are not held.
  const { open, send } = XMLHttpRequest.prototype;
  const ours = new WeakSet();
  XMLHttpRequest.prototype.open = function (method, target, ...rest) {
    open.call(this, method, target, ...rest);
    if (isOurs(target)) ours.add(this);
    else ours.delete(this);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (ours.has(this)) mark((name, value) => this.setRequestHeader(name, value), idle());
    send.call(this, body);
  };

  // The Assistant's answers. An event stream has no headers; Jupyter takes the token from its query, too,
  // and keeps it from MLflow.
  window.EventSource = class extends EventSource {
    constructor(target, options) {
      const address = new URL(target, document.baseURI);
      const token = xsrfToken();
      if (token && isOurs(address.href)) address.searchParams.set("_xsrf", token);
      super(address, options);
    }
  };

  function report() {
    reporting = null;
    if (lastSent >= lastInput) return; // another request has reported it
    window.fetch(`${base}${input}`, NO_STORE).catch(() => {});
  }

  function onInput(event) {
    if (!event.isTrusted) return; // sent by a script
    lastInput = Date.now();
    releaseAll(event);
    reporting ??= setTimeout(report, Math.max(0, lastSent + REPORT_INTERVAL - lastInput));
  }

  for (const name of INPUTS) {
    window.addEventListener(name, onInput, { capture: true, passive: true });
  }
  // A click of the user in JupyterLab, which has this page in a tab. A frame in this page has another origin.
  window.addEventListener("message", (event) => {
    const isOfLab = event.source === parent && event.origin === location.origin;
    if (isOfLab && event.data === inputMessage) onInput(event);
  });

  async function onShown() {
    if (held.size > 0 && await isWatched()) releaseAll();
  }

  document.addEventListener("visibilitychange", onShown);
  new IntersectionObserver(onShown).observe(document.documentElement); // JupyterLab's tabs
})();
