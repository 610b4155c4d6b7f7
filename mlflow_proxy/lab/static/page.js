// The page in the tab's frame: its address, its title, and a history of its own. The browser has one
// history for the whole window, in which a step back may lead JupyterLab to another document.

export class Page {
  /** @param {HTMLIFrameElement} frame @param {string} home the dashboard's address @param {string} path below it */
  constructor(frame, home, path) {
    this._frame = frame;
    this._home = home;
    this._visited = [home + path];
    this._position = 0;
    this._isLoaded = false;
    this.title = "MLflow";
    /** Called after each change of the address or the title. */
    this.changed = () => {};
    /** Called when the first page is not shown, e.g. because a policy forbids frames. */
    this.refused = () => {};
    frame.addEventListener("load", () => this._load());
    frame.style.visibility = "hidden"; // an empty frame is white, also in a dark JupyterLab
  }

  get _window() {
    return /** @type {Window} */ (this._frame.contentWindow);
  }

  get address() {
    return this._visited[this._position];
  }

  /** The address below the dashboard's; empty at e.g. Jupyter's login page. */
  get path() {
    return this.address.startsWith(this._home) ? this.address.slice(this._home.length) : "";
  }

  /** Whether MLflow is up: its start or failure is shown by a page with a state. */
  get isDashboard() {
    return !this._window.document.body?.dataset.state;
  }

  /** Show the page at `path`; with an empty one, the page that is shown. @param {string} path */
  open(path) {
    this._tellInput();
    if (this._isLoaded && !path) {
      return;
    }
    if (this._isLoaded) {
      this._window.location.assign(this._home + path);
    } else {
      this._visited = [this._home + path];
      this.load();
    }
  }

  /** Whether a page was visited so many steps from this one; -1 is back. @param {number} steps */
  has(steps) {
    return this._position + steps in this._visited;
  }

  /** @param {number} steps 0 reloads the page */
  go(steps) {
    this._tellInput();
    const { location } = this._window;
    this._position += steps;
    steps ? location.replace(this.address) : location.reload();
    this.changed();
  }

  /** A click of ours is the user's input in the page, which may be paused (see input_reporter.js). */
  _tellInput() {
    this._window.postMessage("mlflow-input", location.origin);
  }

  /** Have the browser load this page: now if the frame is visible, and after it has moved in the document. */
  load() {
    this._frame.src = this.address;
  }

  _load() {
    const page = this._window;
    try {
      if (page.location.href === "about:blank") {
        return;
      }
      this._isLoaded = true;
      this._frame.style.visibility = "";
    } catch { // the browser's own page, or another site's
      if (!this._isLoaded) {
        this.refused();
      }
      return;
    }
    // MLflow's router changes the address without a `hashchange`. The first event tells of that in new
    // browsers; in others the title does, which changes with it.
    const note = (event) => this._note(page, event.navigationType);
    page.navigation?.addEventListener("currententrychange", note);
    page.addEventListener("hashchange", note);
    const inHead = { childList: true, subtree: true };
    new MutationObserver(() => this._note(page)).observe(page.document.head, inHead);
    this._note(page, "replace");
  }

  /** @param {Window} page @param {string} [how] "push", "replace" or "traverse" */
  _note({ location: { href }, document: { title } }, how) {
    const isTraversed = (steps) => how === "traverse" && this._visited[this._position + steps] === href;
    const before = `${this.address} ${this.title}`;
    if (isTraversed(-1) || isTraversed(1)) {
      this._position += isTraversed(-1) ? -1 : 1;
    } else if (href !== this.address) {
      this._position += how === "replace" ? 0 : 1;
      this._visited.splice(this._position, how === "replace" ? 1 : Infinity, href);
    }
    this.title = title;
    if (`${this.address} ${title}` !== before) {
      this.changed();
    }
  }
}
