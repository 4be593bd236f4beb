// Prints Node's test results in the lines of ../run.py.

import { basename } from 'node:path';
import { inspect } from 'node:util';

const subject = basename(process.argv[1], '.test.mjs').replaceAll('_', ' ');

export default async function* reporter(source) {
  for await (const { type, data } of source) {
    const title = `node ${subject}: ${data?.name}`;
    // what the name pattern leaves out is reported as passed and skipped
    if (type === 'test:pass' && data.skip === undefined) {
      yield `ok   ${title} (${(data.details.duration_ms / 1000).toFixed(2)} s)\n`;
    }
    if (type === 'test:fail') yield `FAIL ${title}\n${inspect(data.details.error.cause ?? data.details.error)}\n`;
  }
}
