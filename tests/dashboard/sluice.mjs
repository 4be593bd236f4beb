// The real binary as a process that is ended with everything it has started.

import { spawn } from "node:child_process";
import { once } from "node:events";

import { eventually, pause } from "./wait.mjs";

const STOP = 10_000; // ms for a graceful end

const running = new Set();

// However this process ends, none is left behind.
process.on("exit", () => running.forEach((it) => it.signal("SIGKILL")));
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => process.exit(1));

export class Sluice {
  said = "";

  /** Started, and ready. */
  static async start(binary, settings) {
    const sluice = new Sluice(binary, settings);
    await eventually("sluice is ready", () => sluice.ended || sluice.said.includes("ready"));
    if (sluice.ended) throw new Error(`sluice did not start:\n${sluice.said}`);
    return sluice;
  }

  constructor(binary, settings) {
    const options = { stdio: ["ignore", "pipe", "pipe"], detached: true };
    this.process = spawn(binary, ["serve", "--config", settings], options);
    this.process.stdout.on("data", (text) => { this.said += text; });
    this.process.stderr.on("data", (text) => { this.said += text; });
    this.over = once(this.process, "exit").catch((error) => { this.said += error; });
    this.over.then(() => { this.ended = true; running.delete(this); });
    running.add(this);
  }

  /** Where it listens. */
  get addresses() {
    return Object.fromEntries([...this.said.matchAll(/(proxy|admin) listening on (http:\/\/[\d.:]+)/g)].map((it) => it.slice(1)));
  }

  async stop() {
    this.signal("SIGTERM");
    await Promise.race([this.over, pause(STOP)]);
    this.signal("SIGKILL");
    await this.over;
  }

  signal(name) {
    try { process.kill(-this.process.pid, name); } catch { /* it has ended */ }
  }
}
