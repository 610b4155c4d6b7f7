// Follows MLflow's start and goes on to the dashboard. The page and the dashboard have one address,
// so going on is a reload, which keeps the `#...` part.
"use strict";

const INTERVAL = 200; // milliseconds between questions while MLflow starts
const PATIENCE = 2000; // milliseconds to wait when nobody answers: Jupyter itself may be away

const base = document.body.dataset.base;
const element = (id) => document.getElementById(id);
let rehearsed = false;

function show(report) {
  document.body.dataset.state = report.state;
  if (report.state === "ready" || report.state === "idle") {
    // Idle: the page was not looked at for long, and somebody has come back to it.
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
  setText("reason", report.reason);
  setText("remedy", report.remedy);
  showOffer(report.upgrade);
  showLog(report.log);
  if (report.dashboard) rehearse();
}

function setText(id, text) {
  // A screen reader repeats what is set, also when it is the same.
  if (element(id).textContent !== text) element(id).textContent = text;
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
  setText("log", lines.join("\n") || "Nothing yet.");
  if (atEnd) log.scrollTop = log.scrollHeight;
}

// Let the browser fetch and compile the dashboard while MLflow starts: in a frame that nobody sees,
// where all but its scripts and styles is refused. The switch then takes half as long.
function rehearse() {
  if (rehearsed) return;
  rehearsed = true;
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = base + "_proxy_dashboard" + location.hash;
  document.body.append(frame);
}

async function follow() {
  let wait = INTERVAL;
  try {
    const answer = await fetch(base + "_proxy/status", { cache: "no-store" });
    if (answer.redirected || answer.status === 401 || answer.status === 403) {
      location.reload(); // logged out meanwhile: Jupyter shows its login
      return;
    }
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
  } catch {
    wait = PATIENCE;
  }
  if (document.body.dataset.state === "starting") setTimeout(follow, wait);
}

async function act(path) {
  const buttons = [element("again"), element("upgrade")];
  buttons.forEach((button) => { button.disabled = true; });
  setText("trouble", "");
  try {
    const answer = await fetch(base + path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    if (answer.status === 404) location.reload(); // MLflow is up already
    if (!answer.ok) throw new Error(answer.statusText);
    show(await answer.json());
    follow();
  } catch {
    setText("trouble", "That did not work; try once more.");
  }
  buttons.forEach((button) => { button.disabled = false; });
}

element("again").addEventListener("click", () => act("_proxy/start"));
element("upgrade").addEventListener("click", () => element("consent").showModal());
element("cancel").addEventListener("click", () => element("consent").close());
element("agree").addEventListener("click", () => {
  element("consent").close();
  element("details").open = true; // what the upgrade prints
  act("_proxy/upgrade");
});

// Somebody else, or another tab, may have started MLflow while this page was not looked at.
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && document.body.dataset.state === "failed") follow();
});

show(JSON.parse(element("report").textContent));
if (document.body.dataset.state === "starting") setTimeout(follow, INTERVAL);
