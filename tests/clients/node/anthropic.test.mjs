// What Anthropic's Node client must find when it talks to sluice instead of Anthropic.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import Anthropic from '@anthropic-ai/sdk';

import { ENDLESS, RETRY_AFTER_SECONDS, decisions, loaded, push, refused, script, seen } from './world.mjs';
import { soonAsked, soonFree, soonGone, user, world } from './world.mjs';

const of = (baseURL) => new Anthropic({ baseURL, apiKey: 'sk-secret', maxRetries: 0, timeout: 15_000 });
const [demo, stage] = [of(world.demo.proxy), of(world.stage.proxy)];
const body = (model, more = {}) => ({ model, max_tokens: 64, messages: user('hello there'), ...more });
const ask = (model, { headers }, more, options) => stage.messages.create(body(model, more), { headers, ...options });
const stream = (model, scripted, options) => ask(model, scripted, { stream: true }, options);

test('a message is answered', async () => {
  const answer = await demo.messages.create(body('small'));
  assert.match(answer.content[0].text, /qwen3-coder-7b/);
  assert.equal(answer.stop_reason, 'end_turn');
  assert.ok(answer.usage.input_tokens > 0 && answer.usage.output_tokens > 0);
  assert.ok(answer._request_id);
});

test('a message streams', async () => {
  const words = [];
  const streamed = demo.messages.stream(body('big')).on('text', (word) => words.push(word));
  const whole = await streamed.finalMessage();
  assert.match(whole.content[0].text, /qwen3-coder-14b/);
  assert.ok(words.length >= 5);
  assert.equal(words.join(''), whole.content[0].text);
});

test('tokens are counted', async () => {
  const { input_tokens: counted } = await demo.messages.countTokens({ model: 'small', messages: user('hello') });
  assert.ok(counted > 0);
});

test('a tag forces', async () => {
  const asked = body('auto', { messages: user('hello #force_big') });
  const { data, response } = await demo.messages.create(asked).withResponse();
  assert.equal(response.headers.get('x-sluice-backend'), 'big');
  assert.doesNotMatch(data.content[0].text, /force_big/);
});

// --- cancelling ---

test('a stream that is aborted frees its slot', async () => {
  const scripted = script(ENDLESS);
  const streamed = stage.messages.stream(body('patient'), { headers: scripted.headers });
  await streamed.emitted('text');
  await loaded('long_queue', 1, 0);
  streamed.abort();
  await Promise.all([soonFree('long_queue'), refused(Anthropic.APIUserAbortError, () => streamed.done())]);
  await soonGone(scripted.name);
});

test('a request that is aborted before its answer frees its slot', async () => {
  const [scripted, leaving] = [script({ silent_seconds: 15 }), new AbortController()];
  const answer = refused(Anthropic.APIUserAbortError, () => ask('patient', scripted, {}, { signal: leaving.signal }));
  await loaded('long_queue', 1, 0);
  await soonAsked(scripted.name);
  leaving.abort();
  await soonFree('long_queue');
  await answer;
  await soonGone(scripted.name);
});

test('a client that times out frees its slot', async () => {
  await refused(Anthropic.APIConnectionTimeoutError, () =>
    ask('patient', script({ silent_seconds: 15 }), {}, { timeout: 300 }),
  );
  await soonFree('long_queue');
});

// --- retries ---

test('what may pass is asked again', async () => {
  for (const status of [408, 409, 429, 500, 502, 503, 504, 529]) {
    const scripted = script({ statuses: [status], headers: { 'retry-after-ms': '20' } });
    await ask('small', scripted, {}, { maxRetries: 2 });
    assert.deepEqual((await decisions(scripted.name, 2)).map((record) => record.status), [status, 200]);
    assert.equal((await seen(scripted.name)).length, 2);
  }
});

test('what will not pass is asked once', async () => {
  for (const status of [400, 401, 403, 404, 413, 422]) {
    const scripted = script({ statuses: [status, status, status] });
    await assert.rejects(ask('small', scripted, {}, { maxRetries: 2 }), { status });
    assert.equal((await seen(scripted.name)).length, 1);
  }
});

test('a full queue is asked again after its Retry-After', async () => {
  const first = await stream('full', script(ENDLESS));
  const scripted = script();
  setTimeout(() => first.controller.abort(), 500);
  const began = performance.now();
  await ask('full', scripted, {}, { maxRetries: 2 });
  assert.ok(performance.now() - began >= RETRY_AFTER_SECONDS * 1000);
  assert.deepEqual((await decisions(scripted.name, 2)).map((record) => record.status), [429, 200]);
});

// --- a class for each refusal ---

/** A refusal in Anthropic's shape, and of this class. */
async function refusal(kind, status, type, call) {
  const error = await refused(kind, call);
  assert.deepEqual([error.status, error.type, error.error.type], [status, type, 'error'], `${error}`);
  assert.ok(error.requestID);
}

test('refusals have their classes', async () => {
  const large = body('small', { messages: user('x'.repeat(600_000)) });
  const cases = [
    [Anthropic.NotFoundError, 404, 'not_found_error', () => ask('claude-17', script())],
    [Anthropic.BadRequestError, 400, 'invalid_request_error', () => ask('small', script(), { messages: 'no list' })],
    [Anthropic.ContentTooLargeError, 413, 'request_too_large', () => stage.messages.create(large)],
    [Anthropic.ServiceUnavailableError, 503, 'overloaded_error', () => ask('dead', script())],
    [Anthropic.ServiceUnavailableError, 503, 'overloaded_error', () => ask('shut', script())],
    [Anthropic.InternalServerError, 502, 'api_error', () => ask('small', script({ statuses: [0, 0, 0] }))],
    [Anthropic.GatewayTimeoutError, 504, 'timeout_error', () => ask('silent', script({ silent_seconds: 15 }))],
  ];
  for (const [kind, status, type, call] of cases) await refusal(kind, status, type, call);
});

test('a queue that is full, and one that takes too long', async () => {
  const cases = [
    ['full', 'no_queue', Anthropic.RateLimitError, 429, 'rate_limit_error'],
    ['late', 'short_queue', Anthropic.GatewayTimeoutError, 504, 'timeout_error'],
  ];
  for (const [model, gpu, kind, status, type] of cases) {
    const first = await stream(model, script(ENDLESS));
    await refusal(kind, status, type, () => ask(model, script()));
    first.controller.abort();
    await soonFree(gpu);
  }
});

// --- answers that break ---

test('a stream that breaks says so', async () => {
  let said = '';
  const error = await refused(Anthropic.APIError, async () => {
    for await (const event of await stream('small', script({ cut_after: 4 }))) said += event.delta?.text ?? '';
  });
  assert.deepEqual([error.type, said], ['api_error', 'small-model word1 ']);
});

test('a plain answer that breaks looks broken', async () => {
  await assert.rejects(ask('small', script({ cut_after: 1 })), { name: 'TypeError', message: 'terminated' });
});

test('a gate that closes cuts the stream', async () => {
  await push('cuts', 'NORMAL');
  const error = await refused(Anthropic.APIError, async () => {
    let events = 0;
    for await (const _ of await stream('cut', script(ENDLESS))) if (++events === 3) await push('cuts', 'GAMING');
  });
  assert.equal(error.type, 'api_error');
});

// --- tools ---

test('a tool is called and its result is heard', async () => {
  const call = { city: 'Zürich' };
  const scripted = script({ tool: { name: 'weather', arguments: JSON.stringify(call) } });
  const tools = [{ name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } }];
  const streamed = stage.messages.stream(body('auto', { tools }), { headers: scripted.headers });
  const { content, stop_reason: reason } = await streamed.finalMessage();
  assert.deepEqual([reason, content[0].name, content[0].input], ['tool_use', 'weather', call]);
  const result = { type: 'tool_result', tool_use_id: content[0].id, content: 'rain' };
  const messages = [...user('hello'), { role: 'assistant', content }, { role: 'user', content: [result] }];
  const second = await ask('auto', scripted, { messages, tools });
  assert.equal(second.content[0].text, 'the tool said: rain');
  assert.deepEqual((await seen(scripted.name)).map((request) => request.keys), [[], []]);
});
