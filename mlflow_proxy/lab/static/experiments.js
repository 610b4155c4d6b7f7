// Experiments, the last changed ones first, each with its runs.

import { button } from "./elements.js";
import { Branch, PagedList } from "./list.js";
import { RunList } from "./runs.js";

export class ExperimentList extends PagedList {
  /** @param {import("./actions.js").Actions} actions */
  constructor(actions) {
    const { trans } = actions;
    const make = ({ experiment_id }) => {
      const open = () => actions.open(["experiments", experiment_id, "runs"]);
      const runs = new RunList(actions, () => [experiment_id]);
      return new Branch(actions, "li", runs, button(trans.__("Open experiment"), open));
    };
    const search = (page_token) => this._find({ max_results: 50, page_token });
    super(actions, { none: trans.__("No experiments"), search, make });
    this._actions = actions;
    this._changed = 0; // the last change of one, in ms
  }

  /** Show the first page and reload what is open: the latest, if nothing is. */
  async load() {
    await super.load();
    const [latest] = this.items.values();
    const open = this._open();
    if (latest && !open.length) {
      latest.details.open = true; // loads its runs
    }
    await Promise.all(open.map((each) => each.list.load()));
  }

  /** Add new experiments, and follow the runs of those that are open. */
  async follow() {
    const { found } = await this._find({ filter: `last_update_time > ${this._changed}`, max_results: 50 });
    this.merge(found);
    await Promise.all(this._open().map((each) => each.list.follow()));
  }

  /** The IDs of all experiments. */
  async all() {
    let page_token;
    do {
      page_token = (await this._find({ max_results: 1000, page_token })).token;
    } while (page_token);
    return [...this._actions.names.keys()];
  }

  _open() {
    return [...this.items.values()].filter((each) => each.details.open);
  }

  async _find(search) {
    const body = { order_by: ["last_update_time DESC"], view_type: "ACTIVE_ONLY", ...search };
    const { experiments = [], next_page_token } = await this._actions.ask("experiments/search", body);
    for (const { experiment_id, name, last_update_time } of experiments) {
      this._actions.names.set(experiment_id, name);
      this._changed = Math.max(this._changed, last_update_time);
    }
    return { found: experiments.map((each) => [each.experiment_id, each]), token: next_page_token };
  }
}
