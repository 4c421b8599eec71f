import { expect, test } from 'vitest';
import { mountOf, mountsSeenBy, parseMountTable } from './mount-table.ts';

const TABLE = `22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
30 22 8:2 / /var/aegir rw shared:2 - ext4 /dev/sdb rw
31 30 8:2 /sites /var/aegir/linkless ro,nosuid,relatime,nosymfollow shared:2 - ext4 /dev/sdb rw
40 22 0:40 / /srv/with\\040space rw,nosymfollow - nfs4 nas:/a rw
41 22 0:41 / /srv/twice rw,nosymfollow - tmpfs tmpfs rw
42 41 0:42 / /srv/twice rw - tmpfs tmpfs rw
`;

test.each([
  ['/etc', '/', true],
  ['/var/aegir/sites/a', '/var/aegir', true],
  ['/var/aegir/linkless', '/var/aegir/linkless', false],
  ['/var/aegir/linkless/a', '/var/aegir/linkless', false],
  ['/var/aegir/linkless-not', '/var/aegir', true],
  ['/srv/with space/a', '/srv/with space', false],
  ['/srv/twice/a', '/srv/twice', true],
])('%s lies on %s, where links are followed: %s', (path, on, followsLinks) => {
  expect(mountOf(parseMountTable(TABLE), path)).toEqual({ path: on, followsLinks });
});

test('of a process that is gone it is what we see', async () => {
  const own = parseMountTable(await mountsSeenBy(undefined));
  expect(mountOf(own, '/proc')?.path).toBe('/proc');
  expect(parseMountTable(await mountsSeenBy(2 ** 22 + 1))).toEqual(own);
  expect(mountOf([], '/')).toBeUndefined();
});
