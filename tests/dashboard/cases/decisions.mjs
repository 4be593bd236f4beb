// The decisions: as they happen, with the reason in words, who asked, what it cost, why somebody was refused.

import { strict as assert } from "node:assert";

import { KEYS } from "../house.mjs";
import { eventually } from "../wait.mjs";

const rows = (page) => page.locator("#decisions > li");

/** The row that says this, once it is there. */
async function row(page, text) {
  const found = rows(page).filter({ hasText: text });
  await found.first().waitFor();
  return found.first();
}

async function told(stage) {
  const house = await stage.house();
  await house.ask("Before the page was opened.", { model: "small" });
  const page = await stage.live(house);
  await rows(page).first().getByText("the model small was asked for by name").waitFor();
  await house.ask("Please refactor this.");
  const holds = /“auto” from laptop, \d+ tokens: rule heavy-by-pattern holds \(seen: pattern \(\?i\)\\brefactor\\b\)\./;
  const why = new RegExp(`${holds.source} 200 in .+ \\(first byte .+\\)`);
  await rows(page).first().getByText(why).waitFor();
  await house.setMode("GAMING");
  await house.ask("Hello.", { model: "qwen3-coder-14b" });
  await row(page, "the model qwen3-coder-14b was asked for by name (seen: gaming_pc is closed); not big, because its gate is closed");
  await house.ask("Whatever is played. #force_big", { stream: true });
  const forced = await row(page, /streamed: rule force-big holds \(seen: tag force_big, gaming_pc is closed\)/);
  await forced.getByText("big", { exact: true }).waitFor();
  await forced.locator("summary").click();
  await forced.getByText("big: chosen; small: not needed").waitFor();
  await forced.getByText("1200 tokens in, 300 out").waitFor();
}

async function paid(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  assert.equal(await house.ask("Hello.", { model: "glm" }), 200);
  const it = await row(page, "“glm” from laptop");
  await it.getByText("left the house").waitFor();
  await it.getByText(/, cost \$0\.138$/).waitFor();
  assert.equal(await rows(page).filter({ hasText: "rule default" }).getByText("left the house").count(), 0);
}

async function refused(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const said = async (text) => (await row(page, text)).getByText("refused", { exact: true }).waitFor();
  assert.equal(await house.ask("Hello.", { key: "sk-of-nobody" }), 401);
  await said("/v1/chat/completions: refused with 401 invalid_api_key: the API key is nobody's here");
  assert.equal(await house.ask("Hello.", { key: KEYS.tayne, model: "glm" }), 403);
  await said(/“glm” from tayne, \d+ tokens: refused with 403 not_allowed: this client may not use this model/);
  await eventually("the rate is spent", async () => await house.ask("Hello.", { key: KEYS.tayne }) === 429);
  await said("/v1/chat/completions from tayne: refused with 429 rate_limited: this client asks too often");
  const text = await page.locator("body").innerText();
  for (const secret of [...Object.values(KEYS), "sk-of-nobody"]) assert.ok(!text.includes(secret));
}

async function hostile(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const name = "<img src=x onerror=alert(1)><b>bold</b>";
  assert.equal(await house.ask("Of this nothing is shown.", { model: name }), 404);
  const it = await row(page, `“${name}” from laptop`);
  assert.equal(await it.locator("img, b").count(), 0, "it is text");
  assert.ok(!(await page.content()).includes("Of this nothing is shown."), "no prompt is shown");
}

async function paused(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("button", { name: "Resume (0 new)" }).waitFor();
  await house.ask("Hello.", { model: "while-paused" });
  await page.getByRole("button", { name: "Resume (1 new)" }).click();
  await row(page, "“while-paused” from laptop");
  for (let number = 0; number < 35; number++) await house.ask("Hello.", { model: `of-many-${number}` });
  await row(page, "“of-many-34” from laptop");
  assert.equal(await rows(page).count(), 30, "the latest are kept");
  assert.equal(await rows(page).filter({ hasText: "while-paused" }).count(), 0);
}

export const cases = {
  "decisions come as they are made, with the reason in words": told,
  "what left the house is marked, with what it cost": paid,
  "why a client was refused": refused,
  "what clients send is only ever text": hostile,
  "the list can be paused, and is not endless": paused,
};
