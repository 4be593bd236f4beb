// Simulated model servers and a gaming PC's mode, on free ports. Each can be killed, and holds its answers while told to.

import { createServer } from "node:http";
import { once } from "node:events";

const ANSWER = {
  choices: [{ message: { role: "assistant", content: "yes" } }],
  usage: { prompt_tokens: 1200, completion_tokens: 300, total_tokens: 1500 },
};

export class Peer {
  mode = "NORMAL";
  available = true; // what a PC says of its model
  requests = 0;
  connections = 0;
  #held = [];
  #holding = false;
  #server = createServer((request, response) => this.#answer(request, response));

  static async start() {
    const peer = new Peer();
    peer.#server.on("connection", () => peer.connections++);
    await peer.#listen(0);
    return peer;
  }

  get address() {
    return `127.0.0.1:${this.port}`;
  }

  /** How many requests wait for their answer. */
  get waiting() {
    return this.#held.length;
  }

  /** From now on requests wait. */
  hold() {
    this.#holding = true;
  }

  /** What waits is answered, and so is what comes. */
  release() {
    this.#holding = false;
    for (const answer of this.#held.splice(0)) answer();
  }

  /** As if its process had died: nobody listens any more, every connection is cut. */
  async kill() {
    if (!this.#server.listening) return;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  /** Listens again where it did. */
  async revive() {
    if (!this.#server.listening) await this.#listen(this.port);
  }

  async #listen(port) {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = this.#server.address().port;
  }

  async #answer(request, response) {
    for await (const piece of request) void piece;
    const asked = request.method === "POST";
    const body = asked ? ANSWER : { mode: this.mode, available: this.available };
    this.requests += asked;
    const send = () => response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
    if (!asked || !this.#holding) return send();
    this.#held.push(send);
    response.on("close", () => { this.#held = this.#held.filter((other) => other !== send); });
  }
}
