// The real sluice in front of simulated peers: a gate, two cards, a service outside the house, clients with keys.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Peer } from "./peer.mjs";
import { Sluice } from "./sluice.mjs";

/** The clients' keys. */
export const KEYS = { laptop: "sk-laptop-of-the-test", tayne: "sk-tayne-of-the-test" };
/** What the locked house asks for. */
export const TOKENS = { admin: "open sesame", gate: "only the gate" };

const HEALTH = "{ path: /health, interval: 100ms, timeout: 1s, unhealthy_after: 2, healthy_after: 1 }";

const policy = ({ small, spare, big, tts, paid, pc }) => `
version: 1
gpus:
  rtx3070: { max_in_flight: 8, max_queue: 64, exclusive: [tts] }
  rtx3090: { max_in_flight: 1, max_queue: 4 }
gates:
  gaming_pc: { mode_url: "http://${pc.address}/", poll_interval: 100ms, stale_after: 5s, drain_timeout: 20s }
backends:
  small: { gpu: rtx3070, peers: ["${small.address}", "${spare.address}"], model: qwen3-coder-7b, context_window: 16384, health: ${HEALTH} }
  big: { gpu: rtx3090, gate: gaming_pc, peers: ["${big.address}"], model: qwen3-coder-14b, context_window: 32768, fail_soft: [small], health: ${HEALTH} }
  tts: { gpu: rtx3070, kind: speech, peers: ["${tts.address}"], model: chatterbox-turbo, health: ${HEALTH} }
  glm: { kind: external, peers: ["${paid.address}"], model: glm-4.7, context_window: 200000, price: { prompt: 60, completion: 220 }, budget: { usd: 5.00, per: 1d } }
  claude: { kind: manual, peers: ["${paid.address}"], model: claude, budget: { requests: 1, per: 1d } }
clients:
  laptop: { key_file: laptop.key }
  tayne: { key_file: tayne.key, models: [auto, small], rate: { requests: 5, per: 1h, burst: 5 } }
models:
  auto: {}
  big: {}
  small: { backend: small }
  qwen3-coder-14b: { backend: big }
  tts-1: { backend: tts }
  glm: { backend: glm }
  claude: { backend: claude, clients: [laptop] }
prompt:
  tags: { force_big: '(?i)#force_big\\b' }
rules:
  - { name: force-big, when: { any: [{ header: { name: X-Force-Big, is: true } }, { model: [big] }, { tag: [force_big] }] }, route: big, override_gate: true }
  - { name: gaming, when: { gate: { gaming_pc: [closed, unknown] } }, route: small }
  - { name: heavy-by-pattern, when: { prompt_matches: ['(?i)\\brefactor\\b'] }, route: big }
  - { name: default, route: small }
`;

const settings = (locked, ports) => `
version: 1
listen: { proxy: "127.0.0.1:${ports.proxy}", admin: "127.0.0.1:${ports.admin}" }
policy: policy.yaml
admin: ${locked ? "{ token_file: admin.token, gate_token_file: gate.token }" : "{}"}
shutdown_grace: 1s
`;

export class House {
  peers = {};

  /** Starts everything. `locked`: the admin listener asks for a token. */
  static async start(binary, { locked = false } = {}) {
    const house = new House();
    Object.assign(house, { binary, locked, folder: mkdtempSync(join(tmpdir(), "sluice-dashboard-")) });
    process.once("exit", () => rmSync(house.folder, { recursive: true, force: true })); // however that comes
    try {
      for (const name of ["small", "spare", "big", "tts", "paid", "pc"]) house.peers[name] = await Peer.start();
      house.write("policy.yaml", policy(house.peers));
      for (const [name, key] of Object.entries(KEYS)) house.write(`${name}.key`, key);
      for (const [name, token] of Object.entries(TOKENS)) house.write(`${name}.token`, token);
      await house.open({ proxy: 0, admin: 0 });
    } catch (error) {
      await house.close();
      throw error;
    }
    return house;
  }

  async open(ports) {
    this.write("sluice.yaml", settings(this.locked, ports));
    this.sluice = await Sluice.start(this.binary, join(this.folder, "sluice.yaml"));
    Object.assign(this, this.sluice.addresses);
  }

  /** Ends sluice; gives back what begins it again at the same ports. */
  async stop() {
    const port = (url) => new URL(url).port;
    await this.sluice.stop();
    return () => this.open({ proxy: port(this.proxy), admin: port(this.admin) });
  }

  async close() {
    await this.sluice?.stop();
    await Promise.all(Object.values(this.peers).map((peer) => peer.kill().catch(() => {})));
    rmSync(this.folder, { recursive: true, force: true });
  }

  write(name, text) {
    writeFileSync(join(this.folder, name), text, { mode: 0o600 });
  }

  /** Asks as a client does; the answer's status, once there is one. */
  async ask(content, { model = "auto", key = KEYS.laptop, ...more } = {}) {
    const body = JSON.stringify({ model, messages: [{ role: "user", content }], ...more });
    const headers = { "content-type": "application/json", ...(key && { authorization: `Bearer ${key}` }) };
    const answer = await fetch(`${this.proxy}/v1/chat/completions`, { method: "POST", headers, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  /** As it was at the start: all answer, the gate is open. */
  async calm() {
    for (const peer of Object.values(this.peers)) {
      peer.release();
      await peer.revive();
    }
    Object.assign(this.peers.pc, { mode: "NORMAL", available: true });
    await this.setMode("NORMAL");
  }

  /** What the PC says from now on; pushed too, so that it holds at once. */
  async setMode(mode, token = TOKENS.admin) {
    this.peers.pc.mode = mode;
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    const pushed = await fetch(`${this.admin}/gates/gaming_pc`, { method: "PUT", headers, body: JSON.stringify({ mode }) });
    if (!pushed.ok) throw new Error(`the push was refused: ${await pushed.text()}`);
  }
}
