import { expect, test } from 'vitest';
import type { ProcessFacts } from '../proc.ts';
import { createEmbeddedHost, phpVersionsOf } from './host.ts';
import { isRecorded, namesPath } from './leftovers.ts';
import { fits, outsidePath } from './run-directory.ts';

const me = { uid: process.geteuid?.() ?? 0, gid: 0, home: '/' };

test('a socket path that is too long goes elsewhere, always to the same place', () => {
  expect(fits('/srv/aegir/web1/run')).toBe(true);
  expect(fits(`/srv/${'ä'.repeat(40)}`)).toBe(false);
  const path = outsidePath('/srv/web1', me, {});
  expect(path).toMatch(/^\/tmp\/aegir-[0-9a-f]{16}$/);
  expect(outsidePath('/srv/web1', me, {})).toBe(path);
  expect(outsidePath('/srv/web2', me, {})).not.toBe(path);
  expect(fits(outsidePath('/srv/web1', me, { XDG_RUNTIME_DIR: `/run/${'a'.repeat(90)}` }))).toBe(true);
});

test('a leftover is known by its configuration as a whole word', () => {
  const path = '/srv/web1/etc/nginx/nginx.conf';
  expect(namesPath(`nginx: master process /usr/sbin/nginx -c ${path}`, path)).toBe(true);
  expect(namesPath(`php-fpm: master process (${path})`, path)).toBe(true);
  expect(namesPath(`/usr/sbin/mariadbd --defaults-file=${path}`, path)).toBe(true);
  expect(namesPath(`nginx: master process /usr/sbin/nginx -c ${path}.old`, path)).toBe(false);
  expect(namesPath(`nginx: master process /usr/sbin/nginx -c /backup${path}`, path)).toBe(false);
  expect(namesPath('nginx: master process /usr/sbin/nginx', path)).toBe(false);
});

test('a worker is known by the recorded group, and only while that group is the same', () => {
  const record = { boot: 'b1', group: 100, startTicks: 5000 };
  const leader: ProcessFacts = { pid: 100, parent: 1, group: 100, state: 'S', startTicks: 5000 };
  const worker: ProcessFacts = { ...leader, pid: 101, startTicks: 5001 };
  expect(isRecorded(leader, record, 'b1')).toBe(true);
  expect(isRecorded(worker, record, 'b1')).toBe(true);
  expect(isRecorded(worker, record, 'b2')).toBe(false);
  expect(isRecorded({ ...leader, startTicks: 9000 }, record, 'b1')).toBe(false);
  expect(isRecorded({ ...worker, startTicks: 4000 }, record, 'b1')).toBe(false);
  expect(isRecorded({ ...worker, group: 101 }, record, 'b1')).toBe(false);
  expect(isRecorded({ ...worker, state: 'Z' }, record, 'b1')).toBe(false);
});

test('newest PHP first', () => {
  expect(phpVersionsOf(['php-fpm@8.2', 'nginx', 'php-fpm@8.10', 'php-fpm@7.4'])).toEqual(['8.10', '8.2', '7.4']);
});

const good = { dir: '/nonexistent/x', hostname: 'h', address: '127.0.1.1', ports: { nginx: 8080, mariadb: 3307 } };
test.each([
  [{ ...good, daemons: [], dir: 'relative' }, /must be absolute/],
  [{ ...good, daemons: [], dir: '/a b' }, /without spaces/],
  [{ ...good, daemons: [], address: 'localhost' }, /no IP address/],
  [{ ...good, daemons: ['nginx' as const], ports: { nginx: 0, mariadb: 1 } }, /0 is no port for nginx/],
  [{ ...good, daemons: ['apache2' as const] }, /0 is no port for apache2/],
])('refuses bad options %#', async (options, why) => {
  await expect(createEmbeddedHost(options)).rejects.toThrow(why);
});
