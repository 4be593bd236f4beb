// The dashboard in a real Chromium, before the real sluice with simulated peers.
//
//     node tests/dashboard/run.mjs [--bin target/debug/sluice] [--chromium /usr/bin/chromium] [--shots FOLDER] [WORD]
//
// Runs the cases whose name has WORD in it, or all. Screenshots go to FOLDER. Exits 0 when everything holds.

import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import { launch } from "./browser.mjs";
import { Stage } from "./stage.mjs";
import * as cards from "./cases/cards.mjs";
import * as decisions from "./cases/decisions.mjs";
import * as explain from "./cases/explain.mjs";
import * as gates from "./cases/gates.mjs";
import * as keyboard from "./cases/keyboard.mjs";
import * as looks from "./cases/looks.mjs";
import * as restart from "./cases/restart.mjs";
import * as safety from "./cases/safety.mjs";
import * as token from "./cases/token.mjs";

const LIMIT = 180_000; // ms for all of it
const LANES = 3; // cases at one time, each lane with houses of its own: most of a case is waiting
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const GROUPS = [gates, cards, decisions, explain, keyboard, looks, safety, token, restart];

const { values: options, positionals: [word = ""] } = parseArgs({
  allowPositionals: true,
  options: {
    bin: { type: "string", default: join(ROOT, "target/debug/sluice") },
    chromium: { type: "string", default: "/usr/bin/chromium" },
    shots: { type: "string", default: join(ROOT, "target/dashboard") },
  },
});

/** Runs one; true when it holds. */
async function holds(stage, name, run) {
  const began = Date.now();
  try {
    await run(stage);
    await stage.clear();
    console.log(`ok   ${name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    return true;
  } catch (error) {
    console.log(`FAIL ${name}\n${error.stack ?? error}`);
    await stage.fail(name);
    return false;
  }
}

/** Runs what is left of the cases, one after the other; how many did not hold. */
async function lane(browser, left) {
  const stage = new Stage(browser, resolve(options.bin), resolve(options.shots));
  let bad = 0;
  try {
    for (let next = left.shift(); next; next = left.shift()) bad += !await holds(stage, ...next);
  } finally {
    await stage.close();
  }
  return bad;
}

async function main() {
  const home = mkdtempSync(join(tmpdir(), "sluice-browser-"));
  mkdirSync(options.shots, { recursive: true });
  const browser = await launch(options.chromium, home);
  try {
    const cases = GROUPS.flatMap((group) => Object.entries(group.cases)).filter(([name]) => name.includes(word));
    const left = [...cases];
    const bad = await Promise.all(Array.from({ length: LANES }, () => lane(browser, left)));
    const failed = bad.reduce((sum, it) => sum + it, 0);
    console.log(`${cases.length} cases, ${failed} failed; screenshots in ${options.shots}`);
    return failed || !cases.length ? 1 : 0;
  } finally {
    await browser.close();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}

setTimeout(() => {
  console.log(`the dashboard's test took longer than ${LIMIT / 1000} s`);
  process.exit(1); // ends what was started, see sluice.mjs; the browser ends with us
}, LIMIT).unref();
process.exitCode = await main();
