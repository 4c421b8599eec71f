// Ports of `up` that somebody else has by now are told of; those that are freed in time are waited for.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openLayout, requirePorts, withThird } from './layout.ts';

const dir = mkdtempSync(join(tmpdir(), 'aegir-layout-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

test('a directory that cannot be made is said, with the reason', async () => {
  await expect(openLayout('/proc/x/y')).rejects.toThrow('cannot make /proc/x/y: no directory can be made there');
  const file = join(dir, 'file');
  writeFileSync(file, '');
  await expect(openLayout(file)).rejects.toThrow(`cannot make ${file}: there is a file of that name`);
  await expect(openLayout(join(file, 'sub'))).rejects.toThrow(/there is a file of that name in its path/);
});

test('a port of the master that is taken', async () => {
  const layout = await openLayout(dir, 'spare');
  await requirePorts(layout, 0);
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(layout.ports.mesh, '127.0.0.1', resolve));
  const refused = requirePorts(layout, 0);
  await expect(refused).rejects.toThrow(`port ${layout.ports.mesh} is another program's now`);
  // The next start finds the same layout, and waits for what ends by itself.
  const waiting = requirePorts(await openLayout(dir, 'spare'));
  await new Promise((resolve) => other.close(resolve));
  await waiting;
});

test('a third server, once there, has its ports for ever, and the web server port of the first', async () => {
  const third = await withThird(await openLayout(dir, 'spare'));
  expect(third.ports.web2).toMatchObject({ nginx: third.ports.web1.nginx, mariadb: expect.any(Number) });
  expect(new Set([third.ports.web1.mariadb, third.ports.db1.mariadb, third.ports.web2?.mariadb]).size).toBe(3);
  expect((await openLayout(dir, 'spare')).ports).toEqual(third.ports);
  expect(await withThird(third)).toEqual(third);
});
