// Debian's Chromium, and pages of it that are watched: what they ask for, and what goes wrong in them.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
];
const PATIENCE = 20_000; // ms for anything that the page is waited for
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** A browser with a profile of its own, which is gone when it is closed. `home`: where else it may write. */
export function launch(executablePath, home) {
  const env = { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home };
  return chromium.launch({ executablePath, args: ARGUMENTS, env });
}

/** A page of the dashboard in a session of its own. What it asks for and complains of stands in `asked` and `wrong`. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: "en-GB", timezoneId: "UTC", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  Object.assign(page, { asked: [], wrong: [] });
  page.on("request", (request) => page.asked.push(request));
  page.on("pageerror", (error) => page.wrong.push(error));
  page.on("console", (message) => note(page, message));
  await page.goto(url);
  return page;
}

function note(page, message) {
  if (message.type() !== "error") return;
  // What the page asked for, and did not get, is the page's to tell.
  if (!message.text().startsWith("Failed to load resource")) page.wrong.push(message.text());
}

/** What axe finds wrong with the page, a line each. */
export async function barriers(page) {
  // The page's own policy would let no script in; one that the debugger evaluates is not asked.
  await page.evaluate(await readFile(AXE, "utf8"));
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ["violations"] }));
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ").slice(0, 300)}`);
}
