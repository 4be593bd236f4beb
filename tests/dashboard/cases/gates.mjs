// The gates: which are open and since when, the switch that flips one, what is not drained yet.

import { strict as assert } from "node:assert";

import { eventually } from "../wait.mjs";

const GATE = '[data-gate="gaming_pc"]';

/** Waits until the gate's part of the page says this. */
async function says(page, text) {
  await page.locator(GATE, { hasText: text }).waitFor();
}

async function is(page, state) {
  await page.locator(`${GATE} .badge`, { hasText: new RegExp(`^${state}$`) }).waitFor();
}

const button = (page, name) => page.locator(GATE).getByRole("button", { name });

async function status(house) {
  return (await (await fetch(`${house.admin}/status`)).json()).gates.gaming_pc;
}

async function opened(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await is(page, "open");
  const since = new Date((await status(house)).since).toLocaleTimeString("en-GB", { timeZone: "UTC" });
  await says(page, new RegExp(`NORMAL, as .*, since ${since} \\(\\d+ `));
  await says(page, "0 in flight");
  assert.match(await page.title(), /gaming_pc open/);
  assert.equal(await button(page, "Normal").getAttribute("aria-pressed"), "true");
  assert.equal(await button(page, "Gaming").getAttribute("aria-pressed"), "false");
}

async function flipped(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  house.peers.big.hold();
  const answer = house.ask("Please refactor this.");
  await says(page, "1 in flight");
  await button(page, "Gaming").click();
  await is(page, "draining");
  await says(page, "GAMING was pushed: the gate is draining.");
  await says(page, "Not drained: 1 unforced in flight");
  const { mode, state, source } = await status(house);
  assert.deepEqual({ mode, state, source }, { mode: "GAMING", state: "draining", source: "push" });
  await stage.shoot(page, "draining");
  house.peers.big.release();
  assert.equal(await answer, 200);
  await is(page, "closed");
  await says(page, "Drained: nothing unforced in flight");
  await says(page, /GAMING, as somebody pushed, since/);
  assert.match(await page.title(), /gaming_pc closed/);
  await button(page, "Normal").click();
  await is(page, "open");
  assert.equal((await status(house)).state, "open");
}

async function forced(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await house.setMode("GAMING");
  await is(page, "closed");
  house.peers.big.hold();
  const answer = house.ask("Whatever is played. #force_big");
  await says(page, "Drained: nothing unforced in flight, 1 forced");
  house.peers.big.release();
  assert.equal(await answer, 200);
}

async function unknown(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await house.peers.pc.kill();
  await is(page, "unknown");
  await page.locator("#told", { hasText: "Gate gaming_pc is unknown." }).waitFor({ state: "attached" });
  await house.peers.pc.revive();
  await is(page, "open");
  house.peers.pc.available = false;
  await is(page, "open, model asleep");
}

async function gone(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await page.route("**/gates/*", (route) => route.fulfill({ status: 500, json: { error: { message: "as was asked for" } } }));
  await button(page, "Gaming").click();
  await says(page, "Not flipped: as was asked for");
  await eventually("the button can be used again", async () => await button(page, "Gaming").getAttribute("aria-disabled") === "false");
}

export const cases = {
  "a gate is open, since when, and as who says": opened,
  "the switch flips it, and shows what is not drained": flipped,
  "what is forced is counted apart": forced,
  "a PC that is silent, a model that sleeps": unknown,
  "a flip that fails is told": gone,
};
