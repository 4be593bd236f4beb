// An admin listener with a token: asked for once, kept for this tab, never in an address.

import { strict as assert } from "node:assert";

import { barriers } from "../browser.mjs";
import { TOKENS } from "../house.mjs";

const dialog = (page) => page.getByRole("dialog", { name: "The admin token" });

async function enter(page, token) {
  await dialog(page).getByLabel("Token").fill(token);
  await page.keyboard.press("Enter");
}

async function once(stage) {
  const house = await stage.house({ locked: true });
  const page = await stage.page(house);
  await dialog(page).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), "token");
  assert.deepEqual(await barriers(page), []);
  await stage.shoot(page, "token");
  await enter(page, "of nobody");
  await dialog(page).getByText("This token was not accepted.").waitFor();
  await enter(page, TOKENS.gate);
  await dialog(page).getByText("The one for gates alone does not open this page.").waitFor();
  assert.equal(await page.locator("[data-gate]").count(), 0, "it shows nothing");
  await enter(page, TOKENS.admin);
  await page.locator("#link", { hasText: /^live$/ }).waitFor();
  await house.ask("Hello.", { model: "nobody-asked" });
  await page.locator("#decisions > li", { hasText: "“nobody-asked”" }).waitFor();
  await page.reload();
  await page.locator("#link", { hasText: /^live$/ }).waitFor();
  assert.equal(await dialog(page).count(), 0, "it is not asked for again");
  await carried(page);
}

/** The token is in a header of what was asked, and nowhere else. */
async function carried(page) {
  const stream = page.asked.filter((request) => request.url().endsWith("/decisions/stream")).at(-1);
  assert.equal((await stream.allHeaders()).authorization, `Bearer ${TOKENS.admin}`);
  assert.equal(stream.resourceType(), "fetch");
  assert.ok(page.asked.every((request) => !/sesame/.test(request.url())), "not in an address");
  assert.ok(!/sesame/.test(await page.content()), "not on the page");
  assert.equal(await page.evaluate(() => document.cookie + localStorage.length), "0", "kept for this tab alone");
}

async function pushed(stage) {
  const house = await stage.house({ locked: true });
  const page = await stage.page(house);
  await enter(page, TOKENS.admin);
  const gate = page.locator('[data-gate="gaming_pc"]');
  await house.setMode("GAMING", TOKENS.gate);
  await gate.getByText("closed", { exact: true }).waitFor();
  house.peers.pc.mode = "NORMAL";
  await gate.getByRole("button", { name: "Normal" }).click();
  await gate.getByText("open", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("→ big: ").waitFor();
}

async function later(stage) {
  const house = await stage.house({ locked: true });
  const page = await stage.page(house);
  await dialog(page).getByRole("button", { name: "Not now" }).click();
  await page.getByRole("alert").getByText("The admin token is needed: reload this page to enter it.").waitFor();
  assert.equal(await dialog(page).count(), 0);
  await page.reload();
  await enter(page, TOKENS.admin);
  await page.locator("#link", { hasText: /^live$/ }).waitFor();
  assert.ok(await page.getByRole("alert").isHidden());
}

export const cases = {
  "a token is asked for once, and goes by header": once,
  "the PC's own token flips the gate, and the page shows it": pushed,
  "who has no token is told what to do": later,
};
