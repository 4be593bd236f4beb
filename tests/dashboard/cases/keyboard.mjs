// Without a mouse and without eyes: the order of the focus, that it stays, that all works by keys, names and roles.

import { strict as assert } from "node:assert";

import { barriers } from "../browser.mjs";
import { eventually } from "../wait.mjs";

const FORM = [
  "Request body (JSON). It is decided about, and sent nowhere.", "Path", "Gates", "Client", "Headers, one a line", "Explain",
];

/** The focused control's name, short. */
function focus(page) {
  return page.evaluate(() => {
    const it = document.activeElement;
    return it.labels?.[0]?.firstChild.textContent.trim() || it.getAttribute("aria-label") || it.textContent.trim().slice(0, 40);
  });
}

/** Presses Tab until the focus is there; the names that it passed. */
async function tabTo(page, name) {
  const passed = [];
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    passed.push(await focus(page));
    if (passed.at(-1).startsWith(name)) return passed;
  }
  throw new Error(`Tab does not lead to ${name}, but to ${passed}`);
}

async function keys(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  await house.ask("Hello.");
  await page.locator("#decisions summary").first().waitFor();
  assert.deepEqual(await tabTo(page, "Normal"), ["Skip to the gates", "Normal"]);
  await tabTo(page, "Gaming");
  const outline = () => page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(await outline(), "solid", "the focus is seen");
  await page.keyboard.press("Space");
  await page.locator('[data-gate="gaming_pc"]', { hasText: "Drained" }).waitFor();
  const looks = () => page.asked.filter((request) => request.url().endsWith("/status")).length;
  const before = looks();
  await eventually("the page has looked three times more", () => looks() >= before + 3);
  assert.equal(await focus(page), "Gaming", "the focus stays");
  await tabTo(page, "Pause");
  await page.keyboard.press("Enter");
  await page.getByRole("button", { name: /^Resume/ }).press("Enter");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.tagName), "SUMMARY");
  await page.keyboard.press("Enter");
  await page.locator("#decisions details[open] dt", { hasText: "candidates" }).first().waitFor();
  assert.deepEqual((await tabTo(page, "Explain")).slice(-6), FORM);
  await page.keyboard.press("Enter");
  await page.getByRole("region", { name: "The decision" }).getByText("→").waitFor();
}

async function names(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  for (const name of ["Gates", "Cards", "Backends", "The last two minutes", "Decisions", "What would happen to a request?"]) {
    await page.getByRole("region", { name, exact: true }).waitFor();
    await page.getByRole("heading", { name, exact: true, level: 2 }).waitFor();
  }
  const group = page.getByRole("group", { name: "Mode of gaming_pc" });
  await group.getByRole("button", { name: "Normal", pressed: true }).waitFor();
  await group.getByRole("button", { name: "Gaming", pressed: false }).waitFor();
  await page.getByRole("list", { name: "Decisions" }).waitFor({ state: "attached" });
  for (const name of ["rtx3070: slots", "rtx3070: queue", "rtx3090: slots", "glm: budget"]) await page.getByRole("meter", { name }).waitFor();
  for (const name of ["Requests", "First byte, median", "Waiting for a card"]) await page.getByRole("img", { name }).waitFor();
  await house.setMode("GAMING");
  await page.locator('#told[aria-live="polite"]', { hasText: "Gate gaming_pc is closed." }).waitFor({ state: "attached" });
}

async function checked(stage) {
  const house = await stage.house();
  const page = await stage.live(house, { colorScheme: "light" });
  await house.ask("Hello.", { model: "glm" });
  await house.ask("Hello.", { model: "nobody" });
  await house.peers.spare.kill();
  await house.setMode("GAMING");
  await page.locator("#decisions summary").first().click();
  await page.getByRole("button", { name: "Explain" }).click();
  await page.locator("#answer summary").click();
  await page.getByText("✕ DOWN").waitFor();
  await page.locator('[data-gate="gaming_pc"] .badge', { hasText: "closed" }).waitFor();
  assert.deepEqual(await barriers(page), [], "light");
  await page.emulateMedia({ colorScheme: "dark" });
  assert.deepEqual(await barriers(page), [], "dark");
  await page.setViewportSize({ width: 320, height: 640 });
  assert.deepEqual(await barriers(page), [], "small");
}

export const cases = {
  "everything can be done with the keyboard": keys,
  "everything has its name and its role": names,
  "axe finds no barrier, in light and dark": checked,
};
