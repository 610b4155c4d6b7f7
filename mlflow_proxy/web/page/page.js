// Follows MLflow's start, then shows the dashboard. The page and the dashboard have the same address,
// so a reload shows it and keeps the `#...` part. Where another page of MLflow is to appear, e.g. a
// trace in each of a notebook's frames, it waits with fewer requests and loads nothing in advance.
"use strict";

const element = (id) => document.getElementById(id);
const addresses = JSON.parse(element("addresses").textContent);

const INTERVAL = addresses.dashboard ? 200 : 1000; // milliseconds between status requests
const RETRY_INTERVAL = 2000; // milliseconds after a failed request, e.g. without a network
const SHOWN_TIME = 500; // milliseconds that a start is shown at least, also if it fails at once

const icons = JSON.parse(element("icons").textContent);

// Jupyter's XSRF token, which a page of another user cannot read.
function headers() {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
  return token ? { "X-XSRFToken": token } : {};
}

function show(report) {
  const isStopped = Boolean(report.stopped); // by the user, who decides when it starts again
  document.body.dataset.state = isStopped ? "failed" : report.state;
  document.body.classList.toggle("stopped", isStopped);
  if (report.state === "ready" || (["idle", "stopped"].includes(report.state) && !isStopped)) {
    // Idle: the page was in the background for long; the user has come back to it.
    location.reload();
    return;
  }
  const percent = Math.round(100 * report.progress);
  const bar = element("bar");
  bar.setAttribute("aria-valuenow", percent);
  bar.setAttribute("aria-valuetext", `${report.text}, ${percent} %`);
  bar.firstElementChild.style.width = `${percent}%`;
  setText("text", report.text);
  setText("seconds", `${Math.floor(report.seconds)} s`);
  element("reason").replaceChildren(...linked(report.reason || report.stopped));
  showRemedy(report.remedy);
  showOffer(report.offer);
  if (isStopped) setText("failed-title", "MLflow is stopped");
  setText("again", isStopped ? "Start MLflow" : "Try again");
  element("again").hidden = needsRestart(report.remedy);
  setText("notice", report.notice);
  if (report.state === "failed") document.querySelector("iframe")?.remove(); // it would ask on
  showInTab(report);
  showLog(report.lines);
}

function setText(id, text) {
  // A screen reader repeats a text that is set again.
  if (element(id).textContent !== text) element(id).textContent = text;
}

function showOffer(offer) {
  element("upgrade").hidden = !offer;
  setText("failed-title", offer ? "MLflow needs your decision" : "MLflow could not start");
  if (!offer) return;
  setText("upgrade", `${offer.action}…`);
  setText("consent-title", `${offer.action}?`);
  setText("agree", offer.action);
  setText("subject", offer.subject);
  setText("copies", offer.copies.length
    ? `The database is copied first, to ${offer.copies[0]}`
    : "The database is not copied first: make sure that there is a backup.");
  setText("warning", offer.warning);
}

function showInTab(report) {
  const isFailed = report.state === "failed";
  const title = isFailed ? element("failed-title").textContent : "MLflow";
  if (document.title !== title) document.title = title;
  const icon = document.querySelector("link[rel=icon]");
  const address = isFailed ? icons.failed : icons.plain;
  if (icon.href !== address) icon.href = address;
}

function showLog(lines) {
  const log = element("log");
  const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 4;
  setText("log", lines.join("\n") || "No output yet.");
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// Let the browser fetch and compile the dashboard while MLflow starts, in a hidden frame in which only
// its scripts and styles are answered. The dashboard then appears in half the time.
function preload() {
  if (document.querySelector("iframe") || !addresses.dashboard) return;
  try { // else MLflow's Assistant would open by itself in the frame, and stay open
    const { assistantKey } = document.body.dataset;
    if (localStorage.getItem(assistantKey) === null) localStorage.setItem(assistantKey, "true");
  } catch {
    // The browser stores nothing.
  }
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = addresses.dashboard + location.hash;
  document.body.append(frame);
}

async function follow() {
  let wait = INTERVAL;
  try {
    const answer = await fetch(addresses.status, { cache: "no-store", headers: headers() });
    if (answer.redirected || answer.status === 401 || answer.status === 403) {
      // Logged out: Jupyter shows its login page. Or the token is out of date, and comes anew.
      setTimeout(() => location.reload(), RETRY_INTERVAL);
      return;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    const report = await answer.json();
    show(report);
    if (report.state === "starting" && report.dashboard) preload();
  } catch {
    wait = RETRY_INTERVAL;
  }
  if (document.body.dataset.state === "starting") setTimeout(follow, wait);
}

async function act(address) {
  const buttons = [element("again"), element("upgrade")];
  buttons.forEach((button) => { button.disabled = true; });
  setText("trouble", "");
  try {
    const answer = await fetch(address, {
      method: "POST",
      headers: { ...headers(), "Content-Type": "application/json" },
      body: "{}",
    });
    if (answer.status === 404) location.reload(); // MLflow is ready already
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    setTimeout(follow, SHOWN_TIME);
  } catch {
    setText("trouble", "The request failed; try again.");
  }
  buttons.forEach((button) => { button.disabled = false; });
}

element("again").addEventListener("click", () => act(addresses.start));
element("upgrade").addEventListener("click", () => element("consent").showModal());
element("cancel").addEventListener("click", () => element("consent").close());
element("agree").addEventListener("click", () => {
  element("consent").close();
  element("details").open = true; // shows the output of the upgrade
  act(addresses.upgrade);
});

// The cause may be gone, or MLflow started elsewhere, when the user comes back. While the user is away, a
// failure is not followed: a hub's proxy counts each request as activity.
function arrive() {
  if (!document.hidden && document.body.dataset.state === "failed") follow();
}

document.addEventListener("visibilitychange", arrive);
window.addEventListener("focus", arrive);

show(JSON.parse(element("report").textContent));
if (document.body.dataset.state === "starting") setTimeout(follow, INTERVAL);
