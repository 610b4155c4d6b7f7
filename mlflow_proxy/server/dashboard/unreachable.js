// Show the dashboard once the server answers again. The page's other scripts mark these requests as
// no use, and hold them where no one is at the page (see input_reporter.js).
"use strict";

(() => {
  const INTERVAL = 5000; // milliseconds
  const SEEN = 500; // milliseconds for which a try is shown, where the answer comes at once
  const again = document.getElementById("again");
  let isTrying = false;

  async function tryAgain() {
    if (isTrying) return; // one that is held
    isTrying = true;
    try {
      const answer = await fetch("", { headers: { Accept: "text/html" }, cache: "no-store" });
      const page = await answer.text();
      if (answer.ok && !page.includes('data-state="failed"')) location.reload();
    } catch {
      // Jupyter cannot be reached; the next time, perhaps.
    } finally {
      isTrying = false;
    }
  }

  function show(text) {
    again.textContent = text;
    again.disabled = text !== "Try again";
  }

  again.addEventListener("click", async () => {
    show("Trying …");
    const seen = new Promise((resolve) => { setTimeout(resolve, SEEN); });
    await Promise.all([tryAgain(), seen]);
    show("Try again");
  });
  setInterval(tryAgain, INTERVAL);
})();
