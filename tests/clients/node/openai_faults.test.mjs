// What OpenAI's Node client sees when things go wrong: cancelling, retries, refusals, answers that break; and tools.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { ENDLESS, RETRY_AFTER_SECONDS, all, decisions, loaded, push, refused, script, seen } from './world.mjs';
import { soonAsked, soonFree, soonGone, user, world } from './world.mjs';

const api = new OpenAI({ baseURL: `${world.stage.proxy}/v1`, apiKey: 'sk-secret', maxRetries: 0, timeout: 15_000 });
const chat = (model, { headers }, more = {}, options = {}) =>
  api.chat.completions.create({ model, messages: user('hello'), ...more }, { headers, ...options });
const stream = (model, scripted, options) => chat(model, scripted, { stream: true }, options);

// --- cancelling ---

test('a stream that is aborted frees its slot', async () => {
  const [scripted, leaving] = [script(ENDLESS), new AbortController()];
  const words = [];
  for await (const chunk of await stream('patient', scripted, { signal: leaving.signal })) {
    words.push(chunk);
    if (words.length === 2) {
      await loaded('long_queue', 1, 0);
      leaving.abort();
      await soonFree('long_queue');
    }
  }
  await soonGone(scripted.name);
  assert.deepEqual((await decisions(scripted.name, 1)).map((record) => record.aborted), [true]);
});

test('a stream that is left by break frees its slot', async () => {
  const scripted = script(ENDLESS);
  for await (const _ of await stream('patient', scripted)) break;
  await soonFree('long_queue');
  await soonGone(scripted.name);
});

test('a request that is aborted before its answer frees its slot', async () => {
  const [scripted, leaving] = [script({ silent_seconds: 15 }), new AbortController()];
  const answer = refused(OpenAI.APIUserAbortError, () => chat('patient', scripted, {}, { signal: leaving.signal }));
  await loaded('long_queue', 1, 0);
  await soonAsked(scripted.name);
  leaving.abort();
  await soonFree('long_queue');
  await answer;
  await soonGone(scripted.name);
});

test('who leaves the queue takes no slot', async () => {
  const [scripted, leaving] = [script(), new AbortController()];
  const first = await stream('patient', script(ENDLESS));
  const waits = refused(OpenAI.APIUserAbortError, () => chat('patient', scripted, {}, { signal: leaving.signal }));
  await loaded('long_queue', 1, 1);
  leaving.abort();
  await loaded('long_queue', 1, 0, 1000);
  first.controller.abort();
  await Promise.all([waits, soonFree('long_queue')]);
  assert.deepEqual(await seen(scripted.name), []);
});

test('a client that times out frees its slot', async () => {
  await refused(OpenAI.APIConnectionTimeoutError, () =>
    chat('patient', script({ silent_seconds: 15 }), {}, { timeout: 300 }),
  );
  await soonFree('long_queue');
});

// --- retries ---

test('what may pass is asked again', async () => {
  for (const status of [408, 409, 429, 500, 502, 503, 504]) {
    const scripted = script({ statuses: [status], headers: { 'retry-after-ms': '20' } });
    await chat('small', scripted, {}, { maxRetries: 2 });
    assert.deepEqual((await decisions(scripted.name, 2)).map((record) => record.status), [status, 200]);
    assert.equal((await seen(scripted.name)).length, 2);
  }
});

test('what will not pass is asked once', async () => {
  for (const status of [400, 401, 403, 404, 413, 422]) {
    const scripted = script({ statuses: [status, status, status] });
    await assert.rejects(chat('small', scripted, {}, { maxRetries: 2 }), { status });
    assert.equal((await seen(scripted.name)).length, 1);
  }
});

test('retries come to an end', async () => {
  const scripted = script({ statuses: Array(9).fill(500), headers: { 'retry-after-ms': '20' } });
  await refused(OpenAI.InternalServerError, () => chat('small', scripted, {}, { maxRetries: 2 }));
  assert.equal((await seen(scripted.name)).length, 3);
});

test("a peer's Retry-After is honoured", async () => {
  const scripted = script({ statuses: [503], headers: { 'retry-after': `${RETRY_AFTER_SECONDS}` } });
  await chat('small', scripted, {}, { maxRetries: 1 });
  const [first, second] = (await seen(scripted.name)).map((request) => request.at);
  assert.ok(second - first >= RETRY_AFTER_SECONDS, `${second - first}`);
});

test('a full queue is asked again after its Retry-After', async () => {
  const first = await stream('full', script(ENDLESS));
  const scripted = script();
  setTimeout(() => first.controller.abort(), 500);
  const began = performance.now();
  await chat('full', scripted, {}, { maxRetries: 2 });
  assert.ok(performance.now() - began >= RETRY_AFTER_SECONDS * 1000);
  assert.deepEqual((await decisions(scripted.name, 2)).map((record) => record.status), [429, 200]);
  assert.equal((await seen(scripted.name)).length, 1);
});

// --- a class for each refusal ---

test('a body that is too large', async () => {
  const messages = user('x'.repeat(600_000));
  const error = await refused(OpenAI.APIError, () => api.chat.completions.create({ model: 'small', messages }));
  assert.deepEqual([error.status, error.code], [413, 'body_too_large']);
});

test('a body of the wrong shape', async () => {
  const error = await refused(OpenAI.BadRequestError, () => chat('small', script(), { messages: 'no list' }));
  assert.deepEqual([error.code, error.param, error.type], ['invalid_request', 'messages', 'invalid_request_error']);
});

test('a queue that is full', async () => {
  const first = await stream('full', script(ENDLESS));
  const error = await refused(OpenAI.RateLimitError, () => chat('full', script()));
  first.controller.abort();
  assert.deepEqual([error.code, error.headers.get('retry-after')], ['queue_full', '1']);
  await soonFree('no_queue');
});

test('a queue that takes too long', async () => {
  const first = await stream('late', script(ENDLESS));
  const error = await refused(OpenAI.InternalServerError, () => chat('late', script()));
  first.controller.abort();
  assert.deepEqual([error.status, error.code], [504, 'queue_timeout']);
  await soonFree('short_queue');
});

test('nobody who could answer, and peers that fail', async () => {
  const cases = [
    ['dead', {}, 503, 'no_backend_available'],
    ['shut', {}, 503, 'no_backend_available'],
    ['small', { statuses: [0, 0, 0] }, 502, 'upstream_error'],
    ['silent', { silent_seconds: 15 }, 504, 'upstream_timeout'],
  ];
  for (const [model, plan, status, code] of cases) {
    const error = await refused(OpenAI.InternalServerError, () => chat(model, script(plan)));
    assert.deepEqual([error.status, error.code], [status, code]);
    assert.equal(error.headers.get('retry-after') !== null, status === 503);
  }
});

test("a peer's own refusals pass through", async () => {
  const kinds = {
    400: OpenAI.BadRequestError, 401: OpenAI.AuthenticationError, 403: OpenAI.PermissionDeniedError,
    404: OpenAI.NotFoundError, 409: OpenAI.ConflictError, 422: OpenAI.UnprocessableEntityError,
    429: OpenAI.RateLimitError, 500: OpenAI.InternalServerError, 503: OpenAI.InternalServerError,
  };
  for (const [status, kind] of Object.entries(kinds)) {
    const error = await refused(kind, () => chat('small', script({ statuses: [Number(status)] })));
    assert.deepEqual([error.status, error.type], [Number(status), 'ScriptedError']);
  }
});

// --- answers that break ---

test('a stream that breaks says so', async () => {
  let said = '';
  const error = await refused(OpenAI.APIError, async () => {
    for await (const chunk of await stream('small', script({ cut_after: 3 }))) said += chunk.choices[0].delta.content;
  });
  assert.deepEqual([error.code, said], ['upstream_error', 'small-model word1 ']);
});

test('a response whose stream breaks says so', async () => {
  const { headers } = script({ cut_after: 5 });
  const error = await refused(OpenAI.APIError, () =>
    all(api.responses.create({ model: 'small', input: 'hello', stream: true }, { headers })),
  );
  assert.equal(error.code, 'upstream_error');
});

test('a plain answer that breaks looks broken', async () => {
  await assert.rejects(chat('small', script({ cut_after: 1 })), { name: 'TypeError', message: 'terminated' });
});

test('a gate that closes cuts the stream', async () => {
  await push('cuts', 'NORMAL');
  const error = await refused(OpenAI.APIError, async () => {
    let events = 0;
    for await (const _ of await stream('cut', script(ENDLESS))) if (++events === 2) await push('cuts', 'GAMING');
  });
  assert.equal(error.code, 'gate_closed');
});

// --- tools ---

const ARGUMENTS = { city: 'Zürich', unit: '°C "quoted"' };
const CALL = { name: 'weather', arguments: JSON.stringify(ARGUMENTS) };
const PARAMETERS = { type: 'object', properties: { city: { type: 'string' }, unit: { type: 'string' } } };
const TOOLS = [{ type: 'function', function: { name: 'weather', parameters: PARAMETERS } }];

test('a tool is called and its result is heard', async () => {
  const scripted = script({ tool: CALL });
  const [{ message, finish_reason: reason }] = (await chat('auto', scripted, { tools: TOOLS })).choices;
  assert.equal(reason, 'tool_calls');
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), ARGUMENTS);
  const result = { role: 'tool', tool_call_id: message.tool_calls[0].id, content: 'rain' };
  const second = await chat('auto', scripted, { messages: [...user('hello'), message, result], tools: TOOLS });
  assert.equal(second.choices[0].message.content, 'the tool said: rain');
  const requests = await seen(scripted.name);
  assert.deepEqual(requests.map((request) => request.body.tools), [TOOLS, TOOLS]);
  assert.deepEqual(requests.map((request) => request.keys), [[], []]);
});

test('a tool call streams', async () => {
  const { headers } = script({ tool: CALL });
  const ask = { model: 'small', messages: user('hello'), tools: TOOLS, stream: true };
  const whole = await api.chat.completions.stream(ask, { headers }).finalChatCompletion();
  assert.equal(whole.choices[0].finish_reason, 'tool_calls');
  assert.deepEqual(JSON.parse(whole.choices[0].message.tool_calls[0].function.arguments), ARGUMENTS);
});

test('a response calls a tool', async () => {
  const { headers } = script({ tool: CALL });
  const tools = [{ type: 'function', name: 'weather', parameters: PARAMETERS, strict: false }];
  const events = await all(
    api.responses.create({ model: 'small', input: 'weather?', tools, stream: true }, { headers }),
  );
  const [call] = events.at(-1).response.output;
  assert.deepEqual(JSON.parse(call.arguments), ARGUMENTS);
  const result = { type: 'function_call_output', call_id: call.call_id, output: 'snow' };
  const input = [...user('weather?'), call, result];
  const second = await api.responses.create({ model: 'small', input, tools }, { headers });
  assert.equal(second.output_text, 'the tool said: snow');
});
