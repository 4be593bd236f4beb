// The cards with their slots and queues, the backends with their peers' health and their budgets.

import { badge, fill, items, make, mark, meter, tell, write } from "./dashboard-nodes.js";
import { KINDS, budget, peerState, used } from "./dashboard-words.js";

const NEARLY = 0.8; // of a budget: from here on its bar warns

export function buildGpu(name) {
  const [slots, queue] = [meter(name, "slots"), meter(name, "queue")];
  const node = make("div", { class: "item", "data-gpu": name }, make("h3", {}, name), slots.node, queue.node);
  return { node, slots, queue, most: 4 };
}

export function updateGpu(part, gpu) {
  part.most = Math.max(part.most, gpu.queued); // the longest queue seen here is a full bar
  fill(part.slots, gpu.in_flight, gpu.limit, `${gpu.in_flight} of ${gpu.limit} slots taken`, "");
  fill(part.queue, gpu.queued, part.most, gpu.queued ? `${gpu.queued} waiting` : "nobody waits", "warn");
}

export function buildBackend(name) {
  const [state, peers, kind] = [make("p", { class: "badge" }), make("div"), make("span", { class: "badge" })];
  const spent = meter(name, "budget");
  const head = make("div", { class: "line" }, make("h3", {}, name, " ", kind), state);
  const node = make("div", { class: "item", "data-backend": name }, head, peers, spent.node);
  return { node, state, peers, kind, spent };
}

export function updateBackend(part, backend, name) {
  const gone = backend.budget ? used(backend.budget) : 0;
  const state = !backend.available ? "not available" : gone >= 1 ? "budget used up" : "available";
  if (part.last && part.last !== state) tell(`Backend ${name} is ${state}.`);
  part.last = state;
  badge(part.state, state, !backend.available ? "bad" : gone >= 1 ? "warn" : "good");
  part.kind.hidden = !KINDS[backend.kind];
  badge(part.kind, KINDS[backend.kind] ?? "", backend.kind === "external" ? "warn" : "");
  part.spent.node.hidden = !backend.budget;
  if (backend.budget) fill(part.spent, Math.round(100 * gone), 100, budget(backend.budget), gone < NEARLY ? "" : "warn");
  updatePeers(part.peers, backend);
}

function updatePeers(host, { kind, peers }) {
  const build = (address) => {
    const health = make("span", { class: "health" });
    return { node: make("p", { class: "line" }, make("span", { class: "mono" }, address), health), health };
  };
  items(host, Object.fromEntries(peers.map((peer) => [peer.address, peer])), build, ({ health }, peer) => {
    write(health, peerState(kind, peer));
    mark(health, "data-tone", peer.healthy ? "" : "bad");
  });
}
