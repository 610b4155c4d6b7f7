// The page in the tab's frame: its address, its title, and a history of its own. The browser has one
// history for the whole window, in which a step back may lead JupyterLab to another document.

export class Page {
  /**
   * @param {HTMLIFrameElement} frame
   * @param {string} home the dashboard's address
   * @param {string} path the first page's, below it
   */
  constructor(frame, home, path) {
    this._frame = frame;
    this._home = home;
    this._visited = [home + path];
    this._position = 0;
    /** Called after each change of the address or the title. */
    this.changed = () => {};
    /** Called when the browser shows an error, or a page of another site, instead of the first page. */
    this.refused = () => {};
    frame.addEventListener("load", () => this._load());
    frame.src = this.address;
  }

  get address() {
    return this._visited[this._position];
  }

  /** Below the dashboard's address; empty at e.g. Jupyter's login page. */
  get path() {
    return this.address.startsWith(this._home) ? this.address.slice(this._home.length) : "";
  }

  get title() {
    return this._frame.contentDocument.title;
  }

  /** Whether this is the dashboard, and not the page that shows MLflow's start or failure. */
  get isDashboard() {
    return !this._frame.contentDocument.body?.dataset.state;
  }

  /** @param {string} path */
  open(path) {
    this._frame.contentWindow.location.assign(this._home + path);
  }

  /** Whether there is a page so many steps on; -1 is back. @param {number} steps */
  has(steps) {
    return this._position + steps in this._visited;
  }

  /** @param {number} steps 0 loads the page anew */
  go(steps) {
    this._position += steps;
    const { location } = this._frame.contentWindow;
    steps ? location.replace(this.address) : location.reload();
    this.changed();
  }

  /** Have the frame show this page again where it is put into another place, which loads it anew. */
  stay() {
    this._frame.src = this.address;
  }

  _load() {
    const page = this._frame.contentWindow;
    try {
      this._note(page.location.href, "replace");
    } catch {
      this.refused();
      return;
    }
    this.refused = () => {};
    const note = (event) => this._note(page.location.href, event?.navigationType);
    // MLflow's router changes the address without a `hashchange`. The first event covers that; where
    // the browser does not have it, a change of the title does.
    page.navigation?.addEventListener("currententrychange", note);
    page.addEventListener("hashchange", note);
    new page.MutationObserver(() => note()).observe(page.document.head, { childList: true, subtree: true });
  }

  /** @param {string} address @param {string} [how] "push", "replace" or "traverse" */
  _note(address, how) {
    const steps = how === "traverse" && [-1, 1].find((each) => this._visited[this._position + each] === address);
    if (steps) {
      this._position += steps;
    } else if (address !== this.address && how === "replace") {
      this._visited[this._position] = address;
    } else if (address !== this.address) {
      this._position += 1;
      this._visited.splice(this._position, Infinity, address);
    }
    this.changed();
  }
}
