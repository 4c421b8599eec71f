import { expect, it } from 'vitest';
import type { FollowRequest, OpenReplicaRequest } from '../shared/gen/aegir/v1/move.ts';
import { checkCloseReplica, checkFollow, checkOpenReplica } from './validate-move.ts';

const SERVER = 'srv-0000000000000001';
const service = {
  ...{ id: 'svc-0000000000000001', serverId: SERVER, type: 'db', engine: 'mariadb' },
  ...{ version: '', instance: '', settings: {}, secrets: {} },
};
const db = {
  ...{ siteId: 'site-0000000000000001', database: 'site_0000000000000001', user: 's_0000000000000001' },
  ...{ password: 'secret-of-site', from: ['192.0.2.1'], holdsContent: true, frozen: false },
};
const password = 'p'.repeat(32);
const opening: OpenReplicaRequest = { service, db, followerAddresses: ['192.0.2.9'], password, preview: true };
const following: FollowRequest = {
  ...{ service, db, address: '192.0.2.1', port: 3306, password, verb: 'start', position: 'log.000001:4' },
};

it('takes what is right', () => {
  expect(checkOpenReplica(opening, SERVER)).toMatchObject({ preview: true, follower: { addresses: ['192.0.2.9'] } });
  expect(checkFollow(following, SERVER)).toMatchObject({ verb: 'start', leader: { port: 3306 } });
  expect(checkFollow({ ...following, position: '0/16B3748' }, SERVER)).toMatchObject({ position: '0/16B3748' });
  expect(checkCloseReplica({ service, db }, SERVER)).toEqual({ service, db });
  // What changed travels as parts: nobody logs in anywhere.
  const noAccount = { followerAddresses: [], password: '' };
  expect(checkOpenReplica({ ...opening, ...noAccount }, SERVER)).toMatchObject({ follower: { addresses: [] } });
  const nowhere = { address: '', port: 0, password: '', verb: 'stop' };
  expect(checkFollow({ ...following, ...nowhere }, SERVER)).toMatchObject({ leader: { address: '', port: 0 } });
});

it.each<[Partial<OpenReplicaRequest>, RegExp]>([
  [{ service: undefined }, /service is missing/],
  [{ service: { ...service, type: 'http' } }, /must be db/],
  [{ service: { ...service, serverId: 'srv-0000000000000002' } }, /astray/],
  [{ db: undefined }, /db is missing/],
  [{ followerAddresses: [] }, /password must be there for addresses alone/],
  [{ followerAddresses: ['%'] }, /no IP address/],
  [{ followerAddresses: ['fe80::1%eth0'] }, /no IP address/],
  [{ followerAddresses: Array<string>(101).fill('192.0.2.1') }, /takes 100 addresses at most/],
  [{ password: 'short' }, /password needs/],
  [{ password: `${'p'.repeat(32)}'` }, /password needs/],
])('refuses to open for %j', (part, why) => {
  expect(() => checkOpenReplica({ ...opening, ...part }, SERVER)).toThrow(why);
});

it.each<[Partial<FollowRequest>, RegExp]>([
  [{ address: 'db.example.org' }, /no IP address/],
  [{ port: 0 }, /no port/],
  [{ port: 65_536 }, /no port/],
  [{ verb: 'begin' }, /none of start/],
  [{ position: "log'; DROP" }, /position/],
  [{ position: 'x'.repeat(301) }, /position/],
  [{ password: '' }, /password/],
])('refuses to follow by %j', (part, why) => {
  expect(() => checkFollow({ ...following, ...part }, SERVER)).toThrow(why);
});
