// A client of walletscreen as another language has it: made by proto-loader from
// the .proto alone, speaking through @grpc/grpc-js. It prints "ok NAME" for each
// promise of the contract that it saw kept, and ends with 1 at the first that is not.
//
//   node contract.js PROTO-FOLDER FILE
//
// FILE is JSON: address, part (one of the parts below) and what the part needs.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import loader from '@grpc/proto-loader';

const [protos, file] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(file, 'utf8'));
const options = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };

const load = (name, folder) => loader.loadSync(name, { ...options, includeDirs: [folder] });
const { walletscreen } = grpc.loadPackageDefinition(load('walletscreen/v1/walletscreen.proto', protos));
const here = path.dirname(fileURLToPath(import.meta.url));
const foreign = grpc.loadPackageDefinition(load('health.proto', here));
const details = load('details.proto', here);

const read = (name) => settings[name] && readFileSync(settings[name]);
const credentials = settings.ca
  ? grpc.credentials.createSsl(read('ca'), read('key'), read('cert'))
  : grpc.credentials.createInsecure();
// A batch that is listed throughout takes more than the 4 MiB of the default.
const channel = { 'grpc.max_receive_message_length': 64 << 20, ...settings.channel };
const clientOf = (service) => new service(settings.address, credentials, channel);
const screening = clientOf(walletscreen.v1.ScreeningService);
const lists = clientOf(walletscreen.v1.ListService);
const health = clientOf(foreign.grpc.health.v1.Health);

const metadata = new grpc.Metadata();
if (settings.token) metadata.set('authorization', `Bearer ${settings.token}`);
const soon = () => ({ deadline: Date.now() + 20_000 });

const call = (client, method, request, with_ = metadata) => new Promise((resolve, reject) => {
  client[method](request, with_, soon(), (err, response) => (err ? reject(err) : resolve(response)));
});
const screen = (request, with_) => call(screening, 'ScreenAddresses', request, with_);

// received reads a stream of the server to its end: what came, and the error, if any.
// The error of a stream may be told before its last messages are, its end is not.
const received = (stream) => new Promise((resolve) => {
  const messages = [];
  let err;
  stream.on('data', (m) => messages.push(m));
  stream.on('error', (e) => { err = e; });
  stream.on('end', () => resolve({ messages, err }));
});

// refusal takes an error apart: code, reason and metadata of its ErrorInfo, and how
// long its RetryInfo says to wait, in milliseconds.
function refusal(err) {
  const out = { code: grpc.status[err.code] };
  for (const bytes of err.metadata?.get('grpc-status-details-bin') ?? []) {
    for (const any of details['google.rpc.Status'].deserialize(bytes).details) {
      const name = any.type_url.split('/').at(-1);
      const detail = details[name].deserialize(any.value);
      if (name === 'google.rpc.ErrorInfo') {
        assert.equal(detail.domain, 'walletscreen');
        Object.assign(out, { reason: detail.reason, metadata: detail.metadata });
      } else {
        out.retry = Number(detail.retry_delay.seconds) * 1000 + detail.retry_delay.nanos / 1e6;
      }
    }
  }
  return out;
}

const refused = async (promise) => {
  try {
    await promise;
  } catch (err) {
    if (err.code === undefined) throw err;
    return refusal(err);
  }
  return assert.fail('the call was answered');
};

const { listed, uid, unlisted, broken, sequence } = settings;

const parts = {
  async batch(ok) {
    const res = await screen({ addresses: [listed, unlisted, broken, listed], request_id: 'node-1' });
    assert.deepEqual(res.results.map((r) => r.verdict),
      ['VERDICT_LISTED', 'VERDICT_NOT_LISTED', 'VERDICT_CANNOT_SCREEN', 'VERDICT_LISTED']);
    ok('results in request order');
    assert.equal(res.results[0].matches[0].listing.party_uid, uid);
    assert.equal(res.results[0].matches[0].basis, 'BASIS_EXACT_TEXT');
    assert.equal(res.results[2].reason, 'REASON_CHECKSUM');
    ok('listing and reason');
    assert.match(res.snapshot.digest, /^[0-9a-f]{64}$/);
    assert.ok(Number(res.snapshot.sequence) >= 1);
    assert.equal(res.request_id, 'node-1');
    ok('names its snapshot');
    const many = await screen({ addresses: Array(10_000).fill(listed) });
    assert.equal(many.results.length, 10_000);
    assert.ok(many.results.every((r) => r.verdict === 'VERDICT_LISTED'));
    ok('10,000 addresses');
    const past = await screen({ addresses: [listed], as_of: '2020-01-01' });
    assert.notEqual(past.results[0].verdict, 'VERDICT_LISTED');
    ok('as_of');
  },

  async errors(ok) {
    const invalid = async (request, reason) => {
      const got = await refused(screen(request));
      assert.deepEqual([got.code, got.reason], ['INVALID_ARGUMENT', reason]);
    };
    await invalid({}, 'NO_ADDRESSES');
    await invalid({ addresses: Array(10_001).fill('') }, 'TOO_MANY_ADDRESSES');
    await invalid({ addresses: [''], network: 'no network' }, 'INVALID_NETWORK');
    await invalid({ addresses: [''], list_ids: ['No List'] }, 'INVALID_LIST_ID');
    await invalid({ addresses: [''], as_of: '2025-02-30' }, 'INVALID_AS_OF');
    await invalid({ addresses: [''], max_list_age: { seconds: '0' } }, 'INVALID_MAX_LIST_AGE');
    await invalid({ addresses: [''], snapshot: '1', min_snapshot: '2' }, 'INVALID_SNAPSHOT');
    await invalid({ addresses: [''], request_id: '\n' }, 'INVALID_REQUEST_ID');
    ok('INVALID_ARGUMENT with its reason');
    const ahead = await refused(screen({ addresses: [listed], min_snapshot: '1000000' }));
    assert.deepEqual([ahead.code, ahead.reason], ['FAILED_PRECONDITION', 'SNAPSHOT_NOT_REACHED']);
    assert.equal(ahead.metadata.min_snapshot, '1000000');
    assert.ok(ahead.retry > 0);
    ok('RetryInfo');
  },

  async stream(ok) {
    const stream = screening.ScreenAddressStream(metadata, soon());
    const answers = received(stream);
    const batches = 50;
    for (let i = 0; i < batches; i++) {
      const request = { addresses: i % 2 ? [unlisted] : [listed, unlisted], request_id: `batch-${i}` };
      if (!stream.write(request)) await new Promise((resolve) => stream.once('drain', resolve));
    }
    stream.end();
    const { messages, err } = await answers;
    assert.equal(err, undefined);
    assert.deepEqual(messages.map((m) => m.request_id), Array.from({ length: batches }, (_, i) => `batch-${i}`));
    messages.forEach((m, i) => assert.deepEqual(m.results.map((r) => r.verdict),
      i % 2 ? ['VERDICT_NOT_LISTED'] : ['VERDICT_LISTED', 'VERDICT_NOT_LISTED']));
    ok('stream answers in order');

    const bad = screening.ScreenAddressStream(metadata, soon());
    const end = received(bad);
    bad.write({ addresses: [listed], request_id: 'good' });
    bad.write({ request_id: 'bad' });
    const last = await end;
    assert.deepEqual(last.messages.map((m) => m.request_id), ['good']);
    assert.deepEqual(refusal(last.err).reason, 'NO_ADDRESSES');
    ok('a bad batch ends the stream after the answers before it');
  },

  async lists(ok) {
    const now = await call(lists, 'GetSnapshot', {});
    assert.ok(now.lists.length > 0);
    ok('GetSnapshot');
    const history = await call(lists, 'GetAddressHistory', { address: listed });
    assert.equal(history.matches[0].listing.party_uid, uid);
    assert.match(history.matches[0].listing.listed_on, /^\d{4}-\d\d-\d\d$/);
    ok('GetAddressHistory');
    const { messages, err } = await received(lists.ExportSnapshot({}, metadata, soon()));
    assert.equal(err, undefined);
    const digest = createHash('sha256');
    messages.forEach((m) => digest.update(m.data));
    assert.equal(digest.digest('hex'), messages[0].snapshot.digest);
    assert.equal(messages[0].snapshot.digest, now.snapshot.digest);
    ok('ExportSnapshot has the digest that answers name');
  },

  // watch begins at the snapshot that is served, and sees what is published after that.
  async watch(ok) {
    const seen = new Promise((resolve, reject) => {
      const stream = lists.WatchChanges({ from_snapshot: sequence }, metadata, soon());
      const changes = [];
      let first = true;
      stream.on('error', reject);
      stream.on('data', (m) => {
        if (first) {
          // What leads to the snapshot that is served comes at once.
          if (m.changes.length > 0 || !m.last || m.snapshot.sequence !== String(sequence)) {
            reject(new Error(`the first message is ${JSON.stringify(m)}`));
          }
          first = false;
          ok('watching');
        }
        changes.push(...m.changes);
        if (m.last && changes.some((c) => c.listing.address === settings.coming)) {
          resolve(changes);
          stream.removeListener('error', reject);
          stream.on('error', () => {});
          stream.cancel();
        }
      });
    });
    const changes = await seen;
    const change = changes.find((c) => c.listing.address === settings.coming);
    assert.equal(change.type, 'LISTING_CHANGE_TYPE_LISTED');
    ok('WatchChanges');
  },

  // health watches the service until it is told that the server goes away.
  async health(ok) {
    const service = 'walletscreen.v1.ScreeningService';
    assert.equal((await call(health, 'Check', { service })).status, 'SERVING');
    assert.equal((await call(health, 'Check', {})).status, 'SERVING');
    ok('health');
    const unknown = await refused(call(health, 'Check', { service: 'no.such.Service' }));
    assert.equal(unknown.code, 'NOT_FOUND');
    const stream = health.Watch({ service }, metadata, soon());
    await new Promise((resolve, reject) => {
      stream.on('error', reject);
      stream.on('data', (m) => {
        if (m.status === 'SERVING') ok('health watching');
        if (m.status === 'NOT_SERVING') resolve();
      });
    });
    stream.on('error', () => {});
    stream.cancel();
    ok('told of the end');
  },

  async secured(ok) {
    const res = await screen({ addresses: [listed] });
    assert.equal(res.results[0].verdict, 'VERDICT_LISTED');
    ok('answered over TLS');
    const nobody = await refused(screen({ addresses: [listed] }, new grpc.Metadata()));
    assert.deepEqual([nobody.code, nobody.reason], ['UNAUTHENTICATED', 'UNAUTHENTICATED']);
    ok('no token, no answer');
    assert.ok((await call(lists, 'GetSnapshot', {})).lists.length > 0);
    const denied = await refused(received(lists.ExportSnapshot({}, metadata, soon()))
      .then(({ err }) => { if (err) throw err; }));
    assert.deepEqual([denied.code, denied.reason], ['PERMISSION_DENIED', 'PERMISSION_DENIED']);
    ok('a token permits what it permits');
  },

  // stranger has other authorities than the server's.
  async stranger(ok) {
    const got = await refused(screen({ addresses: [listed] }));
    assert.equal(got.code, 'UNAVAILABLE');
    ok('no trust, no call');
  },
};

await parts[settings.part]((name) => console.log(`ok ${name}`));
for (const client of [screening, lists, health]) client.close();
