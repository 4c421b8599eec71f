import { expect, test } from 'vitest';
import type { AuditRecord } from '../store/model.ts';
import { createDenials } from './denials.ts';

function rig() {
  const rows: Omit<AuditRecord, 'seq'>[] = [];
  const clock = { now: 1_000_000 };
  const denials = createDenials({
    append: async (row) => void rows.push(row),
    now: () => clock.now,
    onError: (error) => {
      throw error;
    },
  });
  const knock = (peer: string, method = '/aegir.v1.SiteService/ListSites') =>
    denials.note({ peer, method, outcome: 'unauthenticated' });
  return { rows, clock, denials, knock };
}

test('the first at once, then how many, by source; silence forgets', async () => {
  const { rows, clock, denials, knock } = rig();
  knock('192.0.2.1:5000');
  for (let i = 0; i < 1000; i++) knock(`192.0.2.1:${6000 + i}`);
  knock('[2001:db8::1]:5000');
  await denials.flush();
  clock.now += 60_000;
  await denials.flush();
  knock('192.0.2.1:1');
  await denials.close();
  expect(rows.map(({ actor, subject, outcome }) => `${actor} ${subject} ${outcome}`)).toEqual([
    'stranger at 192.0.2.1  unauthenticated',
    'stranger at 2001:db8:0:0::/64  unauthenticated',
    'stranger at 192.0.2.1 1000 more in 1 s unauthenticated',
    'stranger at 192.0.2.1  unauthenticated',
  ]);
});

test('of somebody known it is told what the first call was about', async () => {
  const { rows, denials } = rig();
  const denied = { actor: 'tok-1 (viewer)', method: '/aegir.v1.SiteService/DeleteSite', outcome: 'permission_denied' };
  denials.note({ ...denied, subject: 'www.example.org' });
  denials.note({ ...denied, subject: 'x'.repeat(1000) });
  await denials.close();
  expect(rows.map(({ subject }) => subject)).toEqual(['www.example.org', '1 more in 1 s']);
});

test('a day of knocking from everywhere fills nothing, and none of it is uncounted', async () => {
  const { rows, clock, denials, knock } = rig();
  let knocks = 0;
  for (let minute = 0; minute < 24 * 60; minute++) {
    for (let i = 0; i < 50; i++, knocks++) knock(`192.0.${i}.${minute % 250}:1`, `/method/${i}`);
    clock.now += 60_000;
    await denials.flush();
  }
  // The last counts wait for their turn.
  for (let minute = 0; minute < 60; minute++) {
    clock.now += 60_000;
    await denials.flush();
  }
  await denials.close();
  expect(rows.length).toBeLessThan(1800);
  const counted = rows.map(({ subject }) => (subject === '' ? 1 : Number.parseInt(subject, 10)));
  expect(counted.reduce((sum, each) => sum + each, 0)).toBe(knocks);
});

test('who is known is named', async () => {
  const { rows, denials } = rig();
  denials.note({ actor: 'deploy (tok-1)', method: 'm', outcome: 'permission_denied' });
  await denials.close();
  expect(rows).toMatchObject([{ actor: 'deploy (tok-1)', outcome: 'permission_denied' }]);
});
