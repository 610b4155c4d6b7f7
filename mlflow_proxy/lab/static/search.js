// The search box's language: words of names, and comparisons as people write them, in MLflow's.

import { quoted } from "./api.js";

const OWN = ["run_id", "run_name", "status", "user_id", "artifact_uri", "start_time", "end_time"];
const OTHERS = { name: "run_name", user: "user_id", created: "start_time" };
const ATTRIBUTES = new Map(Object.entries({ ...Object.fromEntries(OWN.map((name) => [name, name])), ...OTHERS }));
const NUMBERS = ["start_time", "end_time"];
const KINDS = {
  metric: "metrics", metrics: "metrics",
  param: "params", params: "params", parameter: "params", parameters: "params",
  tag: "tags", tags: "tags",
  attribute: "attributes", attributes: "attributes", attr: "attributes", run: "attributes",
  dataset: "dataset", datasets: "datasets",
};
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
// A key, perhaps quoted; an operator; a value: a list, a quoted text or a word.
const KEY = /(?:\w+\.)?(?:`[^`]*`|"[^"]*")|[^\s=<>!'"`()]+/u;
const OPERATOR = /\s*(!=|<>|>=|<=|==|=|>|<)\s*|\s+(?:((?:not\s+)?in)(?=\s*\()|(i?like)(?=\s*['"])|(is\s+(?:not\s+)?null)\b)\s*/i;
const VALUE = /\((?:[^()'"]|'[^']*'|"[^"]*")*\)|'[^']*'|"[^"]*"|\S+/u;
const CLAUSE = new RegExp(`^(${KEY.source})(?:${OPERATOR.source})(${VALUE.source})?`, "iu");
const WORD = /^(?:'[^']*'|"[^"]*"|\S+)/u;

/** Words, which names of experiments may have, too: none after a comparison; and filters, of which one has to match.
 * @param {string} text @returns {{words: string[], filters: string[]}}
 */
export function parse(text) {
  const words = [];
  /** Alternatives of each comparison. @type {string[][]} */
  const clauses = [];
  let rest = text.trim();
  while (rest) {
    const clause = rest.match(CLAUSE);
    const [taken] = clause ?? rest.match(WORD) ?? [rest];
    rest = rest.slice(taken.length).trim();
    if (clause) {
      const [, key, ...operators] = clause;
      const value = operators.pop() ?? "";
      clauses.push(compare(key, operators.find(Boolean), value));
    } else if (!/^and$/i.test(taken) || !(clauses.length || words.length)) {
      words.push(taken.replace(/^(['"])(.*)\1$/u, "$2"));
    }
  }
  const names = words.map((word) => `attributes.run_name ILIKE ${quoted(`%${word}%`)}`);
  const filters = clauses.reduce((all, any) => all.flatMap((one) => any.map((other) => [...one, other])), [names]);
  return { words: clauses.length ? [] : words, filters: filters.slice(0, 4).map((each) => each.join(" AND ")) };
}

/** @returns {string[]} a comparison in MLflow's language, or two, of which one is meant */
function compare(written, operator, value) {
  const [, prefix = "", name] = written.match(/^(?:(\w+)\.)?(.*)$/u) ?? [];
  const kind = KINDS[prefix.toLowerCase()];
  const key = (kind ? name : written).replace(/^([`"])(.*)\1$/u, "$2");
  const sign = { "==": "=", "<>": "!=" }[operator] ?? operator.toUpperCase().replace(/\s+/g, " ");
  const say = (kind, key, text = value) => {
    const isNumber = kind === "metrics" || (kind === "attributes" && NUMBERS.includes(key));
    return `${kind}.${/^\w+$/.test(key) ? key : `\`${key}\``} ${sign} ${literal(text, isNumber)}`.trim();
  };
  const attribute = ATTRIBUTES.get(key.toLowerCase());
  if (attribute && !kind) {
    return [say("attributes", attribute, attribute === "status" ? value.toUpperCase() : value)];
  }
  if (kind || !NUMBER.test(bare(value))) {
    return [say(kind ?? "params", key)];
  }
  return /[<>]/.test(sign) ? [say("metrics", key)] : [say("metrics", key), say("params", key)];
}

const bare = (value) => value.replace(/^(['"])(.*)\1$/u, "$2");

/** @param {string} value @param {boolean} isNumber */
const literal = (value, isNumber) =>
  !value || value.startsWith("(") ? value : isNumber ? bare(value) : quoted(bare(value));
