// What OpenAI's Node client must find when it talks to sluice instead of OpenAI.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import OpenAI from 'openai';

import { all, refused, user, world } from './world.mjs';

// Over 1.25 times the largest window of the demo's backends, by any estimate.
const FAR_TOO_LONG = 'a word or two '.repeat(25_000);

const api = new OpenAI({ baseURL: `${world.demo.proxy}/v1`, apiKey: 'none', maxRetries: 0, timeout: 15_000 });
const chat = (model, said, more = {}, options = {}) =>
  api.chat.completions.create({ model, messages: user(said), ...more }, options);

test('models are listed', async () => {
  const models = new Map((await all(api.models.list())).map((model) => [model.id, model]));
  for (const name of ['auto', 'big', 'small', 'tts-1']) assert.ok(models.has(name), name);
  const small = models.get('small');
  assert.equal(small.max_model_len, 16384);
  assert.deepEqual([small.sluice.backend, small.sluice.available], ['small', true]);
});

test('one model is described, an unknown one is not', async () => {
  assert.equal((await api.models.retrieve('big')).id, 'big');
  const error = await refused(OpenAI.NotFoundError, () => api.models.retrieve('gpt-17'));
  assert.equal(error.code, 'model_not_found');
});

test('a chat is answered', async () => {
  const answer = await chat('auto', 'hello there');
  assert.match(answer.choices[0].message.content, /qwen3-coder-7b/);
  assert.equal(answer.choices[0].finish_reason, 'stop');
  assert.ok(answer.usage.total_tokens > answer.usage.completion_tokens);
  assert.ok(answer._request_id);
});

test('every character arrives', async () => {
  const said = '"quoted" \\ café 🦀 中文';
  const answer = await chat('small', said);
  for (const word of said.split(' ')) assert.ok(answer.choices[0].message.content.includes(word), word);
});

test('the headers say what was decided', async () => {
  const { response } = await chat('auto', 'hello', {}, { headers: { 'X-Request-Id': 'node-1' } }).withResponse();
  const says = (name) => response.headers.get(name);
  assert.deepEqual(
    ['x-request-id', 'x-sluice-backend', 'x-sluice-rule', 'x-sluice-reason', 'x-sluice-gate'].map(says),
    ['node-1', 'small', 'default', 'matched', 'gaming_pc=open'],
  );
});

test('a tag and a header force', async () => {
  for (const [said, headers] of [['hello #force_big', {}], ['hello', { 'X-Force-Big': 'true' }]]) {
    const { data, response } = await chat('auto', said, {}, { headers }).withResponse();
    assert.equal(response.headers.get('x-sluice-backend'), 'big');
    assert.doesNotMatch(data.choices[0].message.content, /force_big/);
  }
});

test('a stream arrives word by word', async () => {
  const times = [];
  let said = '';
  for await (const chunk of await chat('small', 'hello', { stream: true, stream_options: { include_usage: true } })) {
    const word = chunk.choices[0]?.delta.content;
    if (word) times.push(performance.now());
    said += word ?? '';
    if (chunk.choices.length === 0) assert.ok(chunk.usage.total_tokens > 0);
  }
  assert.match(said, /qwen3-coder-7b/);
  assert.ok(times.length >= 5 && times.at(-1) - times[0] > 200, `${times}`);
});

test('a completion is answered and streams', async () => {
  const ask = { model: 'small', prompt: 'once upon a time' };
  const answer = await api.completions.create(ask);
  const chunks = await all(api.completions.create({ ...ask, stream: true }));
  assert.ok(answer.choices[0].text && chunks.length >= 5);
  assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
});

test('a response is answered', async () => {
  const answer = await api.responses.create({ model: 'big', input: 'hello there', instructions: 'be brief' });
  assert.match(answer.output_text, /qwen3-coder-14b/);
  assert.equal(answer.status, 'completed');
});

test('a response streams', async () => {
  const events = await all(api.responses.create({ model: 'small', input: user('hello'), stream: true }));
  assert.equal(events[0].type, 'response.created');
  assert.equal(events.at(-1).type, 'response.completed');
  const words = events.filter((event) => event.type === 'response.output_text.delta').map((event) => event.delta);
  assert.equal(words.join(''), events.at(-1).response.output[0].content[0].text);
});

test('embeddings are answered', async () => {
  const { data } = await api.embeddings.create({ model: 'small', input: ['one', 'two', 'one'] });
  const [one, two, again] = data.map((item) => item.embedding);
  assert.ok(one.length > 0 && one.every(Number.isFinite));
  assert.deepEqual(one, again);
  assert.notDeepEqual(one, two);
});

test('speech is spoken', async () => {
  const answer = await api.audio.speech.create({ model: 'tts-1', voice: 'alloy', input: 'good evening' });
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(bytes.toString('latin1', 0, 4), 'RIFF');
  assert.equal(answer.headers.get('x-sluice-backend'), 'tts');
});

test('refusals by name, length, header and path', async () => {
  const cases = [
    [OpenAI.NotFoundError, 'model_not_found', () => chat('gpt-17', 'hello')],
    [OpenAI.BadRequestError, 'context_length_exceeded', () => chat('auto', FAR_TOO_LONG)],
    [OpenAI.BadRequestError, 'invalid_header', () => chat('auto', 'hi', {}, { headers: { 'X-Force-Big': 'maybe' } })],
    [OpenAI.BadRequestError, 'invalid_request', () => chat('tts-1', 'hello')],
    [OpenAI.NotFoundError, 'unknown_path', () => api.moderations.create({ input: 'hello' })],
  ];
  for (const [kind, code, call] of cases) assert.equal((await refused(kind, call)).code, code);
});

test('twenty at once get their own answers', async () => {
  const numbers = [...Array(20).keys()];
  const answers = await Promise.all(numbers.map((number) => chat('small', `number ${number}`)));
  answers.forEach((answer, number) => {
    assert.match(answer.choices[0].message.content, new RegExp(`number ${number}\\b`));
  });
});
