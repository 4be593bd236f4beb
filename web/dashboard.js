// The dashboard: asks /status each second, hears /decisions/stream, and puts what it learns on the page.
// What comes from the network is only ever written as text, never as markup.

import { buildBackend, buildGpu, updateBackend, updateGpu } from "./dashboard-cards.js";
import { at, badge, draw, items, listed, make, mark, median, plot, tell, write } from "./dashboard-nodes.js";
import { LEFT, SOURCES, age, cause, clock, facts, inWords, outcome, subject } from "./dashboard-words.js";

const KEPT = 30; // decisions on the page
const PATIENCE = 10_000; // ms until a call is given up
const SILENCE = 40_000; // ms without a byte until a stream is given up: sluice says something each 15 s

// ---- calls and the token ---------------------------------------------------------------------------------

const NOT_IT = "This token was not accepted. Which is the admin token? The one for gates alone does not open this page.";
let token = stored();
let asking = null;
let declined = false;

function stored() {
  try { return sessionStorage.getItem("sluice.token"); } catch { return null; }
}

function store(value) {
  token = value;
  try { sessionStorage.setItem("sluice.token", value); } catch { /* kept until the page is left */ }
}

/** Asks once, however many calls wait for it. */
function askForToken() {
  if (declined) return Promise.reject(new Error("The admin token is needed."));
  if (token) write(at("ask-why"), NOT_IT);
  asking ??= new Promise((resolve, reject) => {
    const dialog = at("ask");
    at("token").value = "";
    dialog.returnValue = "";
    dialog.addEventListener("close", () => {
      asking = null;
      const given = at("token").value.trim();
      declined = dialog.returnValue !== "use" || !given;
      at("token").value = "";
      if (declined) return reject(new Error("The admin token is needed."));
      store(given);
      resolve();
    }, { once: true });
    dialog.showModal();
  });
  return asking;
}

async function call(path, options = {}, patience = PATIENCE) {
  for (;;) {
    const used = token;
    const headers = { ...options.headers, ...(used && { authorization: `Bearer ${used}` }) };
    const signal = options.signal ?? AbortSignal.timeout(patience);
    const answer = await fetch(path, { ...options, headers, signal, cache: "no-store" });
    if (answer.status !== 401) return answer;
    if (used === token) await askForToken();
  }
}

/** The JSON of an answer; a refusal is an error with its message. */
async function json(path, options) {
  const answer = await call(path, options);
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.error?.message ?? `sluice answered with status ${answer.status}`);
  return body;
}

const send = (method, body) => ({ method, body, headers: { "content-type": "application/json" } });

// ---- gates -----------------------------------------------------------------------------------------------

const TONES = { open: "good", closed: "bad", draining: "warn", unknown: "warn" };

function buildGate(name) {
  const [state, since, flight] = [make("p", { class: "badge" }), make("p"), make("p")];
  const said = make("p", { role: "status", class: "quiet" });
  const button = (mode, label) => make("button", { type: "button", "aria-pressed": "false", "data-mode": mode }, label);
  const buttons = [button("NORMAL", "Normal"), button("GAMING", "Gaming")];
  const group = make("div", { class: "switch", role: "group", "aria-label": `Mode of ${name}` }, ...buttons);
  const head = make("div", { class: "line" }, make("h3", {}, name), state);
  const node = make("div", { class: "item", "data-gate": name }, head, since, flight, group, said);
  for (const it of buttons) it.addEventListener("click", () => flip(name, it, said));
  return { node, state, since, flight, buttons };
}

function updateGate(part, gate, name) {
  const asleep = gate.available === false ? ", model asleep" : "";
  if (part.last && part.last !== gate.state) tell(`Gate ${name} is ${gate.state}.`);
  part.last = gate.state;
  badge(part.state, gate.state + asleep, asleep ? "warn" : TONES[gate.state] ?? "unknown");
  const mode = gate.mode ? `${gate.mode}, ${SOURCES[gate.source] ?? gate.source ?? "?"}` : "nobody has said a mode";
  write(part.since, `${mode}, since ${clock(gate.since)} (${age(gate.since)})`);
  write(part.flight, flight(gate));
  for (const button of part.buttons) mark(button, "aria-pressed", button.dataset.mode === gate.mode);
}

function flight({ state, in_flight: unforced, forced }) {
  const also = forced ? `, ${forced} forced` : "";
  if (state === "open") return `${unforced} in flight${also}`;
  return unforced ? `Not drained: ${unforced} unforced in flight${also}` : `Drained: nothing unforced in flight${also}`;
}

async function flip(name, button, said) {
  if (button.getAttribute("aria-disabled") === "true") return;
  const mode = button.dataset.mode;
  mark(button, "aria-disabled", true);
  write(said, `Telling ${mode} …`);
  try {
    const answer = await json(`/gates/${encodeURIComponent(name)}`, send("PUT", JSON.stringify({ mode })));
    write(said, `${mode} was pushed: the gate is ${answer.state}${answer.drained ? ", drained" : ""}.`);
    await look();
  } catch (error) {
    write(said, `Not flipped: ${error.message}`);
  } finally {
    mark(button, "aria-disabled", false);
  }
}

// ---- plots -----------------------------------------------------------------------------------------------

const plots = [["Requests", "a second"], ["First byte, median", "ms"], ["Waiting for a card", ""]]
  .map(([name, unit]) => plot(at("plots"), name, unit));
let second = []; // first-byte times, or null, of what ended since the last look
let waiting = 0;

function tick() {
  draw(plots[0], second.length);
  draw(plots[1], median(second));
  draw(plots[2], waiting);
  second = [];
}
// ---- decisions -------------------------------------------------------------------------------------------

let pending = []; // what is not on the page yet, the oldest first
const shown = new Set(); // what is, or will be
let paused = false;
let hearing = false;

const key = (record) => `${record.time} ${record.request_id}`;

function row(record) {
  const who = make("span", { class: "badge" });
  const routed = record.outcome === "route";
  badge(who, routed ? record.backend ?? "?" : "refused", routed && !(record.status >= 500) ? "good" : "bad");
  const time = make("time", { datetime: record.time }, clock(record.time));
  const said = `${subject(record)}: ${cause(record)}. `;
  const left = record.external ? [make("span", { class: "badge", "data-tone": "warn" }, LEFT), " "] : [];
  const words = make("span", { class: "words" }, ...left, said, make("span", { class: "quiet" }, outcome(record)));
  const node = make("li", {}, make("details", {}, make("summary", {}, time, who, words), listed(facts(record))));
  node.key = key(record);
  return node;
}

function hear(record) {
  if (shown.has(key(record))) return;
  shown.add(key(record));
  pending.push(record);
  if (pending.length > KEPT) shown.delete(key(pending.shift()));
}

/** Several times a second at most, however many come. */
function flush() {
  write(at("pause"), paused ? `Resume (${pending.length} new)` : "Pause");
  if (paused || !pending.length) return;
  const list = at("decisions");
  list.prepend(...pending.map(row).reverse());
  pending = [];
  while (list.children.length > KEPT) {
    shown.delete(list.lastChild.key);
    list.lastChild.remove();
  }
  at("none").hidden = true;
}

/** Each whole event of a stream's text; gives back what is not whole yet. */
function events(text, each) {
  const parts = text.split("\n\n");
  const rest = parts.pop();
  parts.filter((part) => part.startsWith("data: ")).forEach((part) => each(JSON.parse(part.slice(6))));
  return rest;
}

async function listen() {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE);
  try {
    const answer = await call("/decisions/stream", { signal: silence.signal });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    // The stream is open already, so that nothing is lost between the list and it.
    (await json(`/decisions?limit=${KEPT}`)).reverse().forEach(hear);
    hearing = true;
    look(); // says so at once
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { value, done } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE);
      text = events(text + value, (record) => { second.push(record.first_byte); hear(record); });
    }
  } finally {
    hearing = false;
    clearTimeout(timer);
  }
}

// ---- the rest of the page --------------------------------------------------------------------------------

function show(status) {
  const { version, policy, gates, gpus, backends } = status;
  write(at("policy"), `${version}, policy ${policy.generation} (${policy.hash}) since ${age(policy.loaded_at)}`);
  trouble(policy.last_error && `The latest policy was refused; the one before it is in force.\n${policy.last_error}`);
  items(at("gates"), gates, buildGate, updateGate);
  items(at("gpus"), gpus, buildGpu, updateGpu);
  items(at("backends"), backends, buildBackend, updateBackend);
  waiting = Object.values(gpus).reduce((sum, gpu) => sum + gpu.queued, 0);
  document.title = [...Object.entries(gates).map(([name, gate]) => `${name} ${gate.state}`), "sluice"].join(" · ");
}

function trouble(text) {
  at("trouble").hidden = !text;
  write(at("trouble"), text || "");
}

async function look() {
  try {
    show(await json("/status"));
    mark(at("main"), "data-old", false);
    badge(at("link"), hearing ? "live" : "decisions not heard", hearing ? "good" : "warn");
  } catch (error) {
    mark(at("main"), "data-old", true);
    badge(at("link"), "not live", "bad");
    const silent = `sluice does not answer; what is shown is old. (${error.message})`;
    trouble(declined ? "The admin token is needed: reload this page to enter it." : silent);
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function forever(step, rest) {
  for (;;) {
    await step().catch(() => {});
    await pause(rest);
  }
}

// ---- explain ---------------------------------------------------------------------------------------------

function question() {
  const body = at("body").value;
  JSON.parse(body); // it must be one value; it is sent as it was written, so that a key that stands twice is seen
  const sent = JSON.stringify(headers(at("headers").value));
  const parts = [`"path":${JSON.stringify(at("path").value)}`, `"headers":${sent}`];
  const client = at("client").value.trim();
  if (client) parts.push(`"client":${JSON.stringify(client)}`);
  const state = at("assume").value;
  const gates = [...document.querySelectorAll("[data-gate]")].map((gate) => [gate.dataset.gate, state]);
  if (state) parts.push(`"assume":${JSON.stringify({ gates: Object.fromEntries(gates) })}`);
  return `{${parts.join(",")},"body":${body}}`;
}

function headers(text) {
  const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
  const pair = ([name, ...value]) => [name.trim(), value.join(":").trim()];
  return Object.fromEntries(lines.map((line) => pair(line.split(":"))));
}

function list(title, entries) {
  if (!entries.length) return [];
  const lines = entries.map(([text, decides]) => make("li", decides ? { "data-decides": "" } : {}, text));
  return [make("h3", {}, title), make("ul", {}, ...lines)];
}

function explained(decision) {
  const { outcome: came, backend, rules, candidates } = decision;
  const head = make("p", {}, came === "route" ? `→ ${backend}: ${cause(decision)}.` : `→ ${cause(decision)}`);
  const holds = ({ name, matched, because }) => `${matched ? "yes" : "no"} · ${name}: ${because.join("; ")}`;
  const why = (rules ?? []).map((it) => [holds(it), it.name === decision.rule]);
  const who = (candidates ?? []).map((it) => [`${it.backend}: ${inWords(it.verdict)}`, it.verdict === "chosen"]);
  const json = make("pre", { tabindex: 0 }, JSON.stringify(decision, null, 2));
  const whole = make("details", {}, make("summary", {}, "As JSON"), json);
  const seen = facts({ facts: decision.facts });
  if (decision.facts) seen.unshift(["request", subject(decision)]);
  return [
    head,
    ...list("Rules: the first that holds decides", why),
    ...list("Candidates: the first that can be used is chosen", who),
    ...(seen.length ? [make("h3", {}, "What the rules could see"), listed(seen)] : []),
    whole,
  ];
}

async function explain(event) {
  event?.preventDefault();
  try {
    at("answer").replaceChildren(...explained(await json("/explain", send("POST", question()))));
  } catch (error) {
    const what = error instanceof SyntaxError ? "This is not JSON" : "Not explained";
    at("answer").replaceChildren(make("p", { class: "trouble" }, `${what}: ${error.message}`));
  }
}

// ---- begin -----------------------------------------------------------------------------------------------

at("explain").addEventListener("submit", explain);
at("explain").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) explain(event);
});
at("ask-later").addEventListener("click", () => at("ask").close());
at("pause").addEventListener("click", () => {
  paused = !paused;
  flush();
});
setInterval(flush, 250);
setInterval(tick, 1000);
forever(look, 1000);
forever(listen, 2000);
