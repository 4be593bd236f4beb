// sluice goes away and comes back: the page says so, and goes on by itself. And what it says of a refused policy.

import { strict as assert } from "node:assert";
import { readFileSync } from "node:fs";
import { join } from "node:path";

async function back(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const start = await house.stop();
  await page.locator("#link", { hasText: "not live" }).waitFor();
  await page.getByRole("alert").getByText("sluice does not answer; what is shown is old.").waitFor();
  const grey = () => page.locator("#gates").evaluate((node) => getComputedStyle(node).filter);
  assert.equal(await grey(), "grayscale(1)", "what is old looks old");
  await stage.shoot(page, "gone");
  await start();
  await page.locator("#link", { hasText: /^live$/ }).waitFor();
  assert.ok(await page.getByRole("alert").isHidden());
  assert.equal(await grey(), "none");
  assert.equal(await house.ask("Hello.", { model: "after-the-restart" }), 404);
  await page.locator("#decisions > li", { hasText: "“after-the-restart”" }).waitFor();
}

async function reloaded(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const good = readFileSync(join(house.folder, "policy.yaml"), "utf8");
  house.write("policy.yaml", good.replace("route: big", "route: bigg"));
  const alert = page.getByRole("alert");
  await alert.getByText("The latest policy was refused; the one before it is in force.").waitFor();
  await alert.getByText('there is no backend "bigg"').waitFor();
  assert.equal(await page.locator("#link").innerText(), "live");
  house.write("policy.yaml", good.replaceAll("rtx3090", "card-of-the-pc"));
  await page.locator('[data-gpu="card-of-the-pc"]').waitFor();
  assert.equal(await page.locator('[data-gpu="rtx3090"]').count(), 0);
  assert.ok(await alert.isHidden());
  house.write("policy.yaml", good);
  await page.locator('[data-gpu="rtx3090"]').waitFor();
}

export const cases = {
  "it comes back by itself after a restart": back,
  "a policy that is refused is told, a new one shown": reloaded,
};
