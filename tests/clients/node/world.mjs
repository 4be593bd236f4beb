// What the Node cases know of the demo and the stage (see ../demo.py and ../stage.py), and how they ask it.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';

/** The addresses, given by run.py. */
export const world = JSON.parse(process.env.SLUICE_WORLD);

/** A plan: a stream that goes on for longer than any case. */
export const ENDLESS = { words: 1000, pause_seconds: 0.02 };
/** As peers and sluice say it here; without it the clients wait for half a second at first. */
export const RETRY_AFTER_SECONDS = 1;
/** What the contract grants for a slot to be free after its client has left. */
const FREE_MS = 1000;
/** What does not happen for so long fails the case. */
const PATIENCE_MS = 10_000;

/** A conversation of one user message. */
export const user = (content) => [{ role: 'user', content }];

/** The options of a call: a plan for the peer under a new case's name, which is the request id too. */
export function script(plan = {}) {
  const name = `case-${randomUUID()}`;
  return { name, headers: { 'x-plan': JSON.stringify({ case: name, ...plan }), 'x-request-id': name } };
}

async function get(url) {
  const answer = await fetch(url);
  assert.equal(answer.status, 200, url);
  return answer.json();
}

/** What the peers received for a case. */
export const seen = (name) => get(`${world.peer}/seen?case=${name}`);

/**
 * The records of one request id, the oldest first; an SDK keeps the id when it asks again. A record is there when the
 * exchange is over, a moment after its answer: so many are waited for.
 */
export async function decisions(name, awaited) {
  let records = [];
  await eventually(async () => {
    const latest = await get(`${world.stage.admin}/decisions?limit=200`);
    records = latest.reverse().filter((record) => record.request_id === name);
    return records.length >= awaited;
  }, `${awaited} records of ${name}`);
  return records;
}

/** Pushes a gate's mode; it is in force when this returns. */
export async function push(gate, mode) {
  const answer = await fetch(`${world.stage.admin}/gates/${gate}`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ mode }),
  });
  assert.equal(answer.status, 200);
}

async function load(gpu) {
  const { in_flight: inFlight, queued } = (await get(`${world.stage.admin}/status`)).gpus[gpu];
  return [inFlight, queued];
}

/** Waits for something to hold. */
export async function eventually(holds, what, ms = PATIENCE_MS) {
  const end = performance.now() + ms;
  while (!(await holds())) {
    assert.ok(performance.now() < end, `not within ${ms} ms: ${what}`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}

/** The card comes to hold so many. */
export const loaded = (gpu, inFlight, queued, ms) =>
  eventually(async () => `${await load(gpu)}` === `${[inFlight, queued]}`, `${gpu}: ${inFlight}, ${queued}`, ms);

/** The card has nothing in flight and nothing queued within a second of this moment. */
export const soonFree = (gpu) => loaded(gpu, 0, 0, FREE_MS);

/** A peer comes to hold the whole request of a case. */
export const soonAsked = (name) => eventually(async () => (await seen(name)).length > 0, 'a peer is asked');

/** The peer sees the client of a case go within a second of this moment. */
export const soonGone = (name) => eventually(async () => (await seen(name))[0].gone, 'the peer sees it go', FREE_MS);

/** The error of this very class that a call must end with. */
export async function refused(kind, call) {
  try {
    await call();
  } catch (error) {
    assert.equal(error.constructor, kind, `${error.constructor.name}, not ${kind.name}: ${error}`);
    return error;
  }
  throw new assert.AssertionError({ message: `answered; ${kind.name} was expected` });
}

/** All that a stream yields. */
export async function all(stream) {
  const items = [];
  for await (const item of await stream) items.push(item);
  return items;
}
