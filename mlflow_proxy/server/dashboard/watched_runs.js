// Part of every dashboard page, before MLflow's own scripts. Knows whether the page shows a run that is
// still running, from the responses to MLflow's own requests. Some pages, e.g. a run's charts, refresh
// the metrics and never the status; the script then asks for the status itself.
"use strict";

const watchedRuns = (() => {
  // Milliseconds for which a status is believed: two refreshes of MLflow's tables. In a series of
  // trainings, the next one starts meanwhile.
  const FRESH = 60e3;

  // Addresses of MLflow's API that tell a run's status.
  const { base, graph, run, runSearch } = document.currentScript.dataset;
  const pathOf = (address) => new URL(`${base}${address}`, location.href).pathname;
  const tellStatus = [graph, run, runSearch].map(pathOf);
  const running = new Map(); // id of a run -> the page that showed it as running
  let seenRunning = -Infinity; // when any was, last
  let asking = null; // several requests wait for one answer

  const page = () => location.hash.split("?")[0];
  const isFresh = () => Date.now() - seenRunning < FRESH;

  function note(value, shownBy) {
    if (value === null || typeof value !== "object") return;
    const id = value.run_id ?? value.run_uuid ?? value.runUuid; // REST, older REST, GraphQL
    if (typeof id === "string" && typeof value.status === "string") {
      running.delete(id);
      if (value.status === "RUNNING") {
        running.set(id, shownBy);
        seenRunning = Date.now();
      }
    }
    for (const each of Object.values(value)) note(each, shownBy);
  }

  async function read(response) {
    const shownBy = page();
    const path = new URL(response.url, location.href).pathname;
    if (!response.ok || !tellStatus.includes(path)) return;
    const found = await response.clone().json();
    // A run that is deleted, or that another filter does not find, is no longer in the table.
    if (path === pathOf(runSearch)) forget((other) => other === shownBy);
    note(found, shownBy);
  }

  // Forgets runs by the page that showed them. Those in the page's address stay: it is about them, and
  // a run's other tabs do not ask for it again.
  function forget(isOver) {
    for (const [id, shownBy] of running) {
      if (isOver(shownBy) && !location.hash.includes(id)) running.delete(id);
    }
  }

  function inView() {
    forget((shownBy) => shownBy !== page());
    return [...running];
  }

  // Without an answer the run counts as running: the request that is due fails for the same reason.
  async function isRunning([id, shownBy], fetch) {
    const response = await fetch(`${pathOf(run)}?run_id=${encodeURIComponent(id)}`).catch(() => null);
    running.delete(id);
    if (response === null || response.status >= 500) running.set(id, shownBy);
    else await read(response);
    return running.has(id);
  }

  async function isAnyRunning(fetch) {
    for (const each of inView()) {
      if (await isRunning(each, fetch).catch(() => false)) return true;
    }
    return false;
  }

  return {
    // Learns from a response; resolves when it has, also if the response is no JSON.
    read: (response) => read(response).catch(() => {}),

    hasAny: () => isFresh() || inView().length > 0,

    // Whether a run in view is still running; `fetch` asks for its status if that is not known.
    async areRunning(fetch) {
      if (isFresh()) return true;
      asking ??= isAnyRunning(fetch).finally(() => { asking = null; });
      return asking;
    },
  };
})();
