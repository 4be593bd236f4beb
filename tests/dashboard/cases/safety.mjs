// Nothing from elsewhere: what is asked for, and what the answers forbid.

import { strict as assert } from "node:assert";

import { Peer } from "../peer.mjs";
import { eventually } from "../wait.mjs";

const FILES = ["/", "/dashboard-cards.js", "/dashboard-nodes.js", "/dashboard-words.js", "/dashboard.css", "/dashboard.js"];

async function own(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const asked = [...new Set(page.asked.map((request) => new URL(request.url())))];
  assert.ok(asked.every(({ origin }) => origin === house.admin), String(asked));
  const paths = new Set(asked.map(({ pathname }) => pathname));
  for (const file of FILES) assert.ok(paths.has(file), `${file} is asked for: ${[...paths]}`);
  const stream = page.asked.find((request) => request.url().endsWith("/decisions/stream"));
  assert.equal(stream.resourceType(), "fetch", "an EventSource could not carry a token");
}

/** Tries what a page that was tampered with would; what the browser says of it. */
function tamper(page, elsewhere) {
  return page.evaluate(async (url) => {
    const blocked = [];
    document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => blocked.push(effectiveDirective));
    const put = (tag, members) => document.body.append(Object.assign(document.createElement(tag), members));
    put("script", { textContent: "globalThis.tampered = true" });
    put("script", { src: `${url}/x.js` });
    put("img", { src: `${url}/x.png` });
    await fetch(url).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve));
    return { blocked, tampered: globalThis.tampered };
  }, elsewhere);
}

async function kept(stage) {
  const house = await stage.house();
  const page = await stage.live(house);
  const { headers } = await fetch(house.admin);
  assert.equal(headers.get("content-security-policy"), "default-src 'self'; frame-ancestors 'none'");
  const elsewhere = await Peer.start(); // nobody has a reason to go there
  const found = await eventually("the browser has told", async () => {
    const it = await tamper(page, `http://${elsewhere.address}`);
    return it.blocked.length >= 4 && it;
  });
  await elsewhere.kill();
  assert.deepEqual([...new Set(found.blocked)].sort(), ["connect-src", "img-src", "script-src-elem"]);
  assert.equal(found.tampered, undefined);
  assert.equal(elsewhere.connections, 0);
  page.asked = page.asked.filter((request) => !request.url().includes(elsewhere.address)); // ours, and blocked
  assert.ok(page.wrong.every((it) => String(it).includes("Content Security Policy")), String(page.wrong));
  page.wrong = [];
}

export const cases = {
  "nothing is asked for elsewhere": own,
  "the browser is told to let nothing else in": kept,
};
