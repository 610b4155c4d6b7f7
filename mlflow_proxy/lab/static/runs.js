// Lists of runs, newest first.

import { PagedList } from "./list.js";
import { RunItem } from "./run.js";

export class RunList extends PagedList {
  /**
   * @param {import("./actions.js").Actions} actions
   * @param {() => string[]} experiments their IDs
   * @param {() => string} filter in MLflow's filter language
   */
  constructor(actions, experiments, filter = () => "") {
    super(actions, {
      none: actions.trans.__("No runs"),
      search: (token) => this._find(filter(), 20, token),
      make: (run) => new RunItem(actions, run.info),
    });
    this._actions = actions;
    this._experiments = experiments;
    this._filter = filter;
  }

  /** Add runs that were started since, and update those that were running. */
  async follow() {
    const runs = [...this.items.values()].map((item) => item.run.info);
    const newest = Math.max(0, ...runs.map((run) => run.start_time));
    const isNew = `attributes.start_time > ${newest}`;
    const running = runs.filter((run) => run.status === "RUNNING").map((run) => `'${run.run_id}'`);
    const started = await this._find(this._filter() ? `${this._filter()} AND ${isNew}` : isNew, 20);
    if (started.token) {
      await this.load(); // more than a page
      return;
    }
    this.merge(started.found);
    if (running.length) {
      this.merge((await this._find(`attributes.run_id IN (${running})`, running.length)).found);
    }
  }

  async _find(filter, max_results, page_token) {
    const order_by = ["attributes.start_time DESC"];
    const search = { experiment_ids: this._experiments(), filter, max_results, order_by, page_token };
    const { runs = [], next_page_token } = await this._actions.ask("runs/search", search);
    return { found: runs.map((run) => [run.info.run_id, run]), token: next_page_token };
  }
}
