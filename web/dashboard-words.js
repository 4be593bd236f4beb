// What the dashboard says, in words: made from sluice's JSON, total whatever is missing. Nothing here touches the page.

const EVERYBODY = "lan"; // the client of a house that asks for no keys
const VERDICTS = {
  chosen: "chosen",
  not_needed: "not needed",
  gate_closed: "its gate is closed",
  gate_unknown: "its gate's mode is not known",
  asleep: "the model behind its gate is asleep or stopped",
  unhealthy: "no peer of it is healthy",
  connect_failed: "no connection could be made",
  upstream_error: "it failed, or went away without an answer",
  upstream_timeout: "it did not answer in time",
  over_context: "prompt and output exceed its context window",
  queue_full: "its card's queue is full",
  queue_timeout: "its card had no free slot in time",
  not_allowed: "the client may not use it",
  over_budget: "its budget is used up",
};
/** What a backend is besides a language model of the house. */
export const KINDS = { external: "leaves the house", manual: "by name only", speech: "speech" };
/** What became of a prompt that an external backend got. */
export const LEFT = "left the house";
const PROBED = ["language", "speech"];
export const SOURCES = { poll: "as the PC itself says (poll)", push: "as somebody pushed" };

export const inWords = (verdict) => VERDICTS[verdict] ?? verdict;
export const clock = (time) => new Date(time).toLocaleTimeString([], { hour12: false });

export function age(time) {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(time)) / 1000));
  if (Number.isNaN(seconds)) return "?";
  const [d, h, m, s] = [seconds / 86400, (seconds / 3600) % 24, (seconds / 60) % 60, seconds % 60].map(Math.floor);
  if (d) return `${d} d ${h} h`;
  if (h) return `${h} h ${m} min`;
  return m ? `${m} min ${s} s` : `${s} s`;
}

export function duration(ms) {
  if (ms < 1) return "under 1 ms";
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Who asked for what. Of a request that was refused unread only its path and its client are known, if that. */
export function subject({ facts, path, client }) {
  const [what, who] = [facts?.model ? `“${facts.model}”` : facts?.path ?? path ?? "unread request", facts?.client ?? client];
  const words = [who && who !== EVERYBODY ? `${what} from ${who}` : what];
  if (facts?.tokens != null) words.push(`${facts.tokens.toLocaleString("en")} tokens`);
  if (facts?.stream) words.push("streamed");
  return words.join(", ");
}

function rule(name) {
  if (name === "path") return "the path has a backend of its own";
  if (name?.startsWith("model:")) return `the model ${name.slice(6)} was asked for by name`;
  return name ? `rule ${name} holds` : "no rule was needed";
}

/** What was seen of a request that a rule may have turned on: a record has no trace of its rules. */
function seen(facts) {
  const shut = Object.entries(facts?.gates ?? {}).filter(([, state]) => state !== "open");
  const signs = [
    ...(facts?.tags ?? []).map((tag) => `tag ${tag}`), ...holding(facts?.headers),
    ...holding(facts?.patterns).map((pattern) => `pattern ${pattern}`),
    ...shut.map(([name, state]) => `${name} is ${state}`),
  ];
  return signs.length ? ` (seen: ${signs.join(", ")})` : "";
}

function refused(refusal) {
  const { status, code, message } = refusal ?? {};
  const head = status ? `refused with ${status} ${code}` : "refused";
  return message ? `${head}: ${message.replace(/\.$/, "")}` : head;
}

/** Why this came of it: the rule, and who was passed over for what. */
export function cause(decision) {
  const passed = (decision.candidates ?? []).filter(({ verdict }) => !["chosen", "not_needed"].includes(verdict));
  const but = passed.map(({ backend, verdict }) => `not ${backend}, because ${inWords(verdict)}`);
  if (decision.outcome !== "route") return [refused(decision.refusal), ...but].join("; ");
  if (!but.length && decision.reason !== "matched") but.push(inWords(decision.reason));
  const traced = (decision.rules ?? []).find(({ name }) => name === decision.rule);
  const why = traced ? `, for ${traced.because.join(", ")}` : seen(decision.facts);
  return [rule(decision.rule) + why, ...but].join("; ");
}

/** US dollars; of less than one also the fractions of a cent that a request costs. */
function dollars(usd) {
  return usd.toLocaleString("en", { style: "currency", currency: "USD", maximumFractionDigits: usd < 1 ? 4 : 2 });
}

const cost = ({ usd, estimated }) => (estimated ? `about ${dollars(usd)}` : dollars(usd));

/** How much of a budget is gone, 1 for all of it: of what is nearer to its end, money or requests. */
export function used({ usd, requests, spent_usd: spent, reserved_usd: reserved, requests_made: made }) {
  const part = (value, limit) => (limit == null ? 0 : limit ? value / limit : 1);
  return Math.max(part(spent + reserved, usd), part(made, requests));
}

export function budget({ usd, requests, spent_usd: spent, reserved_usd: reserved, requests_made: made, resets_at: ends }) {
  const money = usd == null ? [] : [`${dollars(spent)} of ${dollars(usd)} spent`];
  if (reserved) money.push(`${dollars(reserved)} set aside`);
  if (requests != null) money.push(`${made} of ${requests} requests made`);
  const to = { weekday: "short", hour: "2-digit", minute: "2-digit", hour12: false };
  return `${money.join(", ")}; begins anew ${new Date(ends).toLocaleString("en-GB", to)}`;
}

/** Backends outside the house, or for people, need not be probed: of those only faults are known. */
export function peerState(kind, { healthy, in_flight: flight }) {
  const [good, bad] = PROBED.includes(kind) ? ["healthy", "✕ DOWN"] : ["no fault known", "✕ left alone for now"];
  return `${healthy ? good : bad}, ${flight} in flight`;
}

export function outcome(record) {
  const words = [record.status == null ? "no answer" : String(record.status)];
  if (record.total != null) words.push(`in ${duration(record.total)}`);
  if (record.first_byte != null) words.push(`(first byte ${duration(record.first_byte)})`);
  const also = [
    record.cost && `cost ${cost(record.cost)}`, record.aborted && "cut short", record.broken && `broke off: ${record.broken}`,
  ];
  return [words.join(" "), ...also.filter(Boolean)].join(", ");
}

const holding = (tests) => Object.entries(tests ?? {}).filter(([, holds]) => holds).map(([test]) => test);
const same = (state) => state;
const pairs = (states, said = same) => Object.entries(states ?? {}).map(([name, state]) => `${name}: ${said(state)}`).join(", ");

export function facts(decision) {
  const it = decision.facts ?? {};
  const { prompt, completion } = decision.tokens ?? {};
  return [
    ["path", it.path ?? decision.path], ["client", it.client ?? decision.client],
    ["tags", (it.tags ?? []).join(", ")], ["has", (it.has ?? []).join(", ")],
    ["headers", holding(it.headers).join(", ")], ["patterns", holding(it.patterns).join(", ")],
    ["gates", pairs(it.gates)], ["unusable", pairs(it.unusable, inWords)],
    ["candidates", (decision.candidates ?? []).map((c) => `${c.backend}: ${inWords(c.verdict)}`).join("; ")],
    ["queued", decision.queued ? duration(decision.queued) : ""], ["attempts", decision.attempts],
    ["reported", decision.tokens ? `${prompt ?? "?"} tokens in, ${completion ?? "?"} out` : ""],
    ["cost", decision.cost ? cost(decision.cost) : ""], ["id", decision.request_id],
  ].filter(([, value]) => value != null && value !== "");
}
