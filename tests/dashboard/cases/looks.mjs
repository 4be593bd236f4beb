// Light and dark, wide and as small as a phone. The pictures are for people to look at.

import { strict as assert } from "node:assert";

const PHONE = { isMobile: true, hasTouch: true, deviceScaleFactor: 2 };
const SIZES = {
  light: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  phone: { ...PHONE, viewport: { width: 390, height: 844 }, colorScheme: "light" },
  "phone-dark": { ...PHONE, viewport: { width: 320, height: 640 }, colorScheme: "dark" },
};

/** Something of everything that the page can show; gives back what ends it. */
async function liven(house) {
  house.peers.big.hold();
  const answers = [1, 2, 3].map(() => house.ask("Please refactor this."));
  await house.ask("Hello.");
  await house.ask("Hello.", { model: "glm" });
  await house.ask("Hello.", { model: "a-model-of-a-very-long-name/which-nobody-would-break-in-two:".repeat(2) });
  await house.ask("Hello.", { key: "sk-of-nobody" });
  await house.peers.spare.kill();
  return async () => {
    house.peers.big.release();
    await Promise.all(answers);
  };
}

/** Until all of it is there. */
async function settled(page) {
  await page.getByText("2 waiting").waitFor();
  await page.getByText("✕ DOWN").waitFor();
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText("→ ").waitFor();
  await page.locator("#decisions summary").first().click();
  await page.getByRole("img", { name: /^Waiting for a card: 2/ }).waitFor();
}

async function sizes(stage) {
  const house = await stage.house();
  const pages = [];
  for (const [name, options] of Object.entries(SIZES)) pages.push([name, await stage.live(house, options)]);
  const end = await liven(house);
  for (const [name, page] of pages) {
    await settled(page);
    await stage.shoot(page, name);
    const [is, may] = await page.evaluate(() => [document.documentElement.scrollWidth, screen.width]);
    assert.ok(is <= may, `${name}: the page is ${is} wide, the screen ${may}`);
  }
  await end();
}

async function schemes(stage) {
  const house = await stage.house();
  const page = await stage.live(house, { colorScheme: "light" });
  const colours = () => page.evaluate(() => {
    const { backgroundColor, color } = getComputedStyle(document.body);
    return [backgroundColor, color].map((it) => it.match(/\d+/g).reduce((sum, part) => sum + Number(part), 0));
  });
  const [back, text] = await colours();
  assert.ok(back > 600 && text < 200, "dark on light");
  await page.emulateMedia({ colorScheme: "dark" });
  const [darkBack, lightText] = await colours();
  assert.ok(darkBack < 200 && lightText > 600, "light on dark");
}

async function thumbs(stage) {
  const page = await stage.live(await stage.house(), SIZES.phone);
  for (const button of await page.getByRole("button").all()) {
    if (!await button.isVisible()) continue;
    const { width, height } = await button.boundingBox();
    assert.ok(height >= 44 && width >= 44, `${await button.innerText()}: ${width} x ${height}`);
  }
  await page.getByRole("button", { name: "Gaming" }).tap();
  await page.locator('[data-gate="gaming_pc"] .badge', { hasText: "closed" }).waitFor();
}

export const cases = {
  "nothing is wider than the screen, from a phone up": sizes,
  "it follows the system's light and dark": schemes,
  "buttons are made for thumbs": thumbs,
};
