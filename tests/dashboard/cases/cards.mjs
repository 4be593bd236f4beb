// The cards with slots and queues, the backends with their peers' health, budgets and kinds, and the small plots.

import { strict as assert } from "node:assert";

const gpu = (page, name) => page.locator(`[data-gpu="${name}"]`);
const backend = (page, name) => page.locator(`[data-backend="${name}"]`);
const tone = (locator) => locator.evaluate((node) => getComputedStyle(node).color);

async function meter(page, name) {
  const bar = page.getByRole("meter", { name });
  return Promise.all(["aria-valuenow", "aria-valuemax", "aria-valuetext"].map((each) => bar.getAttribute(each)));
}

async function load(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  house.peers.big.hold();
  const answers = [1, 2, 3].map(() => house.ask("Please refactor this."));
  await gpu(page, "rtx3090").getByText("1 of 1 slots taken").waitFor();
  await gpu(page, "rtx3090").getByText("2 waiting").waitFor();
  await gpu(page, "rtx3070").getByText("0 of 8 slots taken").waitFor();
  assert.deepEqual(await meter(page, "rtx3090: slots"), ["1", "1", "1 of 1 slots taken"]);
  assert.deepEqual(await meter(page, "rtx3090: queue"), ["2", "4", "2 waiting"]);
  await page.getByRole("img", { name: "Waiting for a card: 2, at most 2" }).waitFor();
  house.peers.big.release();
  assert.deepEqual(await Promise.all(answers), [200, 200, 200]);
  await gpu(page, "rtx3090").getByText("nobody waits").waitFor();
  await page.getByRole("img", { name: /^Requests: \d a second, at most [123]$/ }).waitFor();
  await page.getByRole("img", { name: /^First byte, median: \d+ ms, at most \d+$/ }).waitFor();
  const line = await page.locator("#plots path").first().getAttribute("d");
  assert.match(line, /L[\d.]+ 5\.0/, "the busiest second reaches the top");
}

async function health(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const [spare, small] = [house.peers.spare, house.peers.small];
  const peer = (it) => backend(page, "small").locator(".line", { hasText: it.address }).locator(".health");
  await peer(spare).getByText("healthy, 0 in flight").waitFor();
  const well = await tone(peer(spare));
  await spare.kill();
  await peer(spare).getByText("✕ DOWN").waitFor();
  assert.equal(await tone(peer(spare)), "rgb(163, 22, 33)", "red");
  assert.equal(await tone(peer(small)), well, "the other one is not");
  await backend(page, "small").getByText("available", { exact: true }).waitFor();
  await small.kill();
  const state = backend(page, "small").getByText("not available", { exact: true });
  await state.waitFor();
  assert.equal(await tone(state), "rgb(163, 22, 33)");
  await page.locator("#told", { hasText: "Backend small is not available." }).waitFor({ state: "attached" });
  await small.revive();
  await backend(page, "small").getByText("available", { exact: true }).waitFor();
}

async function kinds(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await backend(page, "glm").getByText("leaves the house").waitFor();
  await backend(page, "claude").getByText("by name only").waitFor();
  await backend(page, "tts").getByText("speech", { exact: true }).waitFor();
  assert.equal(await backend(page, "big").getByText("leaves the house").count(), 0);
  assert.equal(await page.getByRole("meter", { name: "big: budget" }).count(), 0);
  await backend(page, "claude").getByText("0 of 1 requests made; begins anew").waitFor();
  assert.equal(await house.ask("Hello.", { model: "claude" }), 200);
  await backend(page, "claude").getByText("1 of 1 requests made").waitFor();
  await backend(page, "claude").getByText("budget used up").waitFor();
  assert.deepEqual((await meter(page, "claude: budget")).slice(0, 2), ["100", "100"]);
  house.peers.paid.hold();
  const answer = house.ask("Hello.", { model: "glm" });
  await backend(page, "glm").getByText(/\$0\.00 of \$5\.00 spent, \$0\.9\d* set aside; begins anew \w{3},? \d\d:\d\d/).waitFor();
  house.peers.paid.release();
  assert.equal(await answer, 200);
  await backend(page, "glm").getByText("$0.138 of $5.00 spent; begins anew").waitFor();
}

export const cases = {
  "cards show their slots and queues, and so do the plots": load,
  "a peer that is killed turns red": health,
  "kinds and budgets of backends": kinds,
};
