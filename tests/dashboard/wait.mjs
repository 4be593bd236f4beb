// Waiting for a condition, never for a time.

const PATIENCE = 20_000; // ms
const LOOK = 40; // ms between two looks

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits until it gives something that counts as true, and gives that back; fails with `what` otherwise. */
export async function eventually(what, look, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${patience / 1000} s: ${what}`);
    await pause(LOOK);
  }
}
