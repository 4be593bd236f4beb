// What a case has: the houses, pages of their dashboards, and a look at every page when the case is over.

import assert from "node:assert/strict";
import { join } from "node:path";

import { open } from "./browser.mjs";
import { House } from "./house.mjs";

export class Stage {
  #houses = new Map();
  #pages = [];

  constructor(browser, binary, shots) {
    Object.assign(this, { browser, binary, shots });
  }

  /** The house that asks for no token, or the one that does; as at the start, but for what was recorded. */
  async house(options = {}) {
    const name = JSON.stringify(options);
    if (!this.#houses.has(name)) this.#houses.set(name, await House.start(this.binary, options));
    return this.#houses.get(name);
  }

  /** A page of a house's dashboard. */
  async page(house, options) {
    const page = await open(this.browser, house.admin, options);
    page.origin = new URL(house.admin).origin;
    this.#pages.push(page);
    return page;
  }

  /** The same, once it is live. */
  async live(house, options) {
    const page = await this.page(house, options);
    await page.locator("#link", { hasText: /^live$/ }).waitFor();
    return page;
  }

  /** A picture of the whole page. */
  async shoot(page, name) {
    await page.screenshot({ path: join(this.shots, `${name}.png`), fullPage: true });
  }

  /** A case is over: no page asked elsewhere or complained; all are closed, the houses are as before. */
  async clear() {
    const pages = this.#pages.splice(0);
    for (const { asked, wrong, origin } of pages) {
      assert.deepEqual(asked.map((request) => request.url()).filter((url) => new URL(url).origin !== origin), []);
      assert.deepEqual(wrong, []);
    }
    await Promise.all(pages.map((page) => page.context().close()));
    for (const house of this.#houses.values()) await house.calm();
  }

  /** A case went wrong: what its pages look like, and what they complain of. */
  async fail(name) {
    for (const [number, page] of this.#pages.entries()) {
      for (const wrong of page.wrong) console.log(`  the page: ${wrong}`);
      await this.shoot(page, `FAILED ${name} ${number}`).catch((error) => console.log(`  no picture: ${error}`));
      await page.context().close();
    }
    this.#pages = [];
    for (const house of this.#houses.values()) await house.calm();
  }

  async close() {
    for (const house of this.#houses.values()) await house.close();
  }
}
