// Table: what an agent detects against what the graph has.
import { expect, test } from 'vitest';
import { DetectedService } from '../../shared/gen/aegir/v1/agent.ts';
import type { ServiceRecord } from '../store/model.ts';
import { reconcile } from './reconcile.ts';

const SERVER = 'srv-0123456789abcdef';

function nginx(changes: Partial<DetectedService> = {}): DetectedService {
  return { ...DetectedService.fromPartial({ type: 'http', engine: 'nginx', version: '1.22' }), ...changes };
}

function known(changes: Partial<ServiceRecord> = {}): ServiceRecord {
  return {
    id: 'svc-1',
    serverId: SERVER,
    type: 'http',
    engine: 'nginx',
    instance: '',
    state: 'detected',
    stateBefore: 'detected',
    detected: nginx(),
    origin: 'detected',
    settings: {},
    secrets: {},
    ...changes,
  };
}

const NOTHING = { insert: [], update: [], remove: [] };

test.each([
  { what: 'nothing and nothing', before: [], seen: [], after: NOTHING },
  { what: 'as before', before: [known()], seen: [nginx()], after: NOTHING },
  { what: 'enabled and found', before: [known({ state: 'enabled' })], seen: [nginx()], after: NOTHING },
  {
    what: 'new',
    before: [],
    seen: [nginx()],
    after: { ...NOTHING, insert: [known({ id: 'new-0' })] },
  },
  {
    what: 'a fact',
    before: [],
    seen: [nginx({ type: '', engine: 'git' })],
    after: {
      ...NOTHING,
      insert: [known({ id: 'new-0', type: '', engine: 'git', detected: nginx({ type: '', engine: 'git' }) })],
    },
  },
  {
    what: 'declared by a person, and seen by no agent',
    before: [known({ state: 'enabled', origin: 'declared', engine: 'rfc2136' })],
    seen: [],
    after: NOTHING,
  },
  {
    what: 'of a type that nobody knows',
    before: [],
    seen: [nginx({ type: 'mail' })],
    after: NOTHING,
  },
  {
    what: 'another version',
    before: [known({ state: 'enabled' })],
    seen: [nginx({ version: '1.24' })],
    after: { ...NOTHING, update: [{ id: 'svc-1', patch: { detected: nginx({ version: '1.24' }) } }] },
  },
  {
    what: 'another instance is another service',
    before: [known()],
    seen: [nginx(), nginx({ instance: 'b' })],
    after: { ...NOTHING, insert: [known({ id: 'new-1', instance: 'b', detected: nginx({ instance: 'b' }) })] },
  },
  ...(['detected', 'enabled', 'disabled'] as const).flatMap((state) => [
    {
      what: `${state} and gone`,
      before: [known({ state })],
      seen: [],
      after: { ...NOTHING, update: [{ id: 'svc-1', patch: { state: 'missing', stateBefore: state } }] },
    },
    {
      what: `${state}, was missing and is back`,
      before: [known({ state: 'missing', stateBefore: state })],
      seen: [nginx()],
      after: { ...NOTHING, update: [{ id: 'svc-1', patch: { state } }] },
    },
  ]),
  {
    what: 'back with another version',
    before: [known({ state: 'missing', stateBefore: 'enabled' })],
    seen: [nginx({ running: true })],
    after: {
      ...NOTHING,
      update: [{ id: 'svc-1', patch: { state: 'enabled', detected: nginx({ running: true }) } }],
    },
  },
  { what: 'missing and still gone', before: [known({ state: 'missing' })], seen: [], after: NOTHING },
])('$what', ({ before, seen, after }) => {
  const ids = seen.map((_, at) => `new-${at}`);
  expect(reconcile(SERVER, before, seen, ids)).toEqual(after);
});

test('an agent that invents services without end fills no table: what was never enabled goes', () => {
  const gone = Array.from({ length: 1000 }, (_, at) =>
    known({
      id: `svc-${at}`,
      instance: `i${at}`,
      state: 'missing',
      stateBefore: at === 0 ? 'enabled' : at === 1 ? 'disabled' : 'detected',
    }),
  );
  const { insert, remove } = reconcile(SERVER, gone, [nginx(), nginx({ instance: 'x' })], ['a', 'b']);
  expect(insert).toHaveLength(2);
  expect(remove).toEqual(['svc-2', 'svc-3']);
});
