// Show the dashboard once the server answers again. The page's other scripts mark these requests as
// no use, and hold them where no one is at the page (see input_reporter.js).
"use strict";

(() => {
  const INTERVAL = 5000; // milliseconds

  async function follow() {
    try {
      const answer = await fetch("", { headers: { Accept: "text/html" }, cache: "no-store" });
      const page = await answer.text();
      if (answer.ok && !page.includes('data-state="failed"')) location.reload();
    } catch {
      // Jupyter cannot be reached; the next time, perhaps.
    }
    setTimeout(follow, INTERVAL);
  }

  document.getElementById("again").addEventListener("click", () => location.reload());
  setTimeout(follow, INTERVAL);
})();
