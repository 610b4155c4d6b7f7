// Follows MLflow's start, then shows the dashboard. The page and the dashboard have the same address,
// so a reload shows it and keeps the `#...` part.
"use strict";

const INTERVAL = 200; // milliseconds between status requests while MLflow starts
const RETRY_INTERVAL = 2000; // milliseconds after a failed request, e.g. without a network

const element = (id) => document.getElementById(id);
const addresses = JSON.parse(element("addresses").textContent);
let preloaded = false;

// Jupyter's XSRF token, which a page of another user cannot read.
function headers() {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/)?.[1];
  return token ? { "X-XSRFToken": token } : {};
}

function show(report) {
  document.body.dataset.state = report.state;
  if (report.state === "ready" || report.state === "idle") {
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
  setLinked("reason", report.reason);
  setLinked("remedy", report.remedy);
  showOffer(report.upgrade);
  showLog(report.log);
}

function setText(id, text) {
  // A screen reader repeats a text that is set again.
  if (element(id).textContent !== text) element(id).textContent = text;
}

// An address in a text is a link: of a server that wants a login, say.
function setLinked(id, text) {
  const parts = text.split(/(https?:\/\/[^\s<>]+[^\s<>.,;:)])/);
  const links = element(id).querySelectorAll("a").length;
  if (element(id).textContent === text && links === (parts.length - 1) / 2) return;
  element(id).replaceChildren(...parts.map((part, at) => (at % 2 ? linkTo(part) : part)));
}

function linkTo(address) {
  const link = document.createElement("a");
  Object.assign(link, { href: address, target: "_blank", rel: "noreferrer", textContent: address });
  return link;
}

function showOffer(upgrade) {
  element("upgrade").hidden = !upgrade;
  if (!upgrade) return;
  setText("database", upgrade.database);
  setText("copy", upgrade.copy
    ? `It is copied first, to ${upgrade.copy}`
    : "It is not copied first: make sure that there is a backup.");
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
  if (preloaded) return;
  preloaded = true;
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
    const policy = answer.headers.get("Content-Security-Policy") ?? "";
    if (report.dashboard && !policy.includes("frame-ancestors 'none'")) preload();
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
    follow();
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

// A client or another tab may have started MLflow while this page was in the background.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.body.dataset.state === "failed") follow();
});

show(JSON.parse(element("report").textContent));
if (document.body.dataset.state === "starting") setTimeout(follow, INTERVAL);
