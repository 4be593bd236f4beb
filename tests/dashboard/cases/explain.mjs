// The box: a request is pasted, and the page says what would happen to it and why. Nothing is sent to a model.

import { strict as assert } from "node:assert";

const answer = (page) => page.getByRole("region", { name: "The decision" });
const ask = (page) => page.getByRole("button", { name: "Explain" }).click();
const gates = (page) => page.getByRole("combobox", { name: "Gates" });
const body = (page) => page.getByLabel("Request body");
const message = (content, more = {}) => JSON.stringify({ messages: [{ role: "user", content }], ...more });

async function decides(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const before = house.peers.small.requests + house.peers.spare.requests + house.peers.big.requests;
  await ask(page);
  await answer(page).getByText("→ big: rule heavy-by-pattern holds, for prompt matches").waitFor();
  await answer(page).getByText("no · gaming: gate gaming_pc is open").waitFor();
  await answer(page).getByText("small: not needed").waitFor();
  await gates(page).selectOption("closed");
  await ask(page);
  await answer(page).getByText("→ small: rule gaming holds, for gate gaming_pc is closed.").waitFor();
  await page.getByLabel("Headers").fill("X-Force-Big: true");
  await ask(page);
  await answer(page).getByText("→ big: rule force-big holds, for header x-force-big is yes.").waitFor();
  await page.getByLabel("Headers").fill("");
  await gates(page).selectOption("");
  await body(page).fill(message("Hello.", { model: "glm" }));
  await page.getByLabel("Client").fill("tayne");
  await body(page).press("Control+Enter");
  await answer(page).getByText("→ refused with 403 not_allowed: this client may not use this model").waitFor();
  await page.getByLabel("Path").selectOption("/v1/audio/speech");
  await body(page).fill(JSON.stringify({ model: "tts-1", input: "Good evening." }));
  await page.getByLabel("Client").fill("laptop");
  await ask(page);
  await answer(page).getByText("→ tts: the path has a backend of its own").waitFor();
  const after = house.peers.small.requests + house.peers.spare.requests + house.peers.big.requests;
  assert.equal(after, before, "no model was asked");
  assert.equal(await page.locator("#decisions > li").filter({ hasText: "“tts-1”" }).count(), 0);
}

async function live(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await house.peers.big.kill();
  await page.locator('[data-backend="big"]').getByText("not available").waitFor();
  await ask(page);
  await answer(page).getByText("not big, because no peer of it is healthy").waitFor();
  await answer(page).getByRole("listitem").getByText("big: no peer of it is healthy").waitFor();
}

async function wrong(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await body(page).fill('{"messages": [');
  await ask(page);
  await answer(page).getByText("This is not JSON").waitFor();
  await body(page).fill('{"model": "small", "model": "big", "messages": []}');
  await ask(page);
  await answer(page).getByText("→ refused with 400 invalid_request").waitFor();
  await body(page).fill(message("Hello."));
  await page.getByLabel("Headers").fill("X-Force-Big: perhaps");
  await ask(page);
  await answer(page).getByText("→ refused with 400 invalid_header").waitFor();
  await page.getByLabel("Headers").fill("not a header");
  await ask(page);
  await answer(page).getByText("Not explained").waitFor();
}

export const cases = {
  "a pasted request is decided about, and sent nowhere": decides,
  "the box sees the house as it is": live,
  "a request that is none is told": wrong,
};
