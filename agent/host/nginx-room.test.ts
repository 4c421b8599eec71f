// How many requests may wait in nginx and how long, by its configuration and the files that its workers may open.
import { expect, it } from 'vitest';
import { roomOf } from './nginx-room.ts';

const debian = 'user www-data;\nevents {\n\tworker_connections 768;\n\t# multi_accept on;\n}\n';
const limits = (files: string) =>
  `Limit                     Soft Limit           Hard Limit           Units\nMax open files            ${files}                 524288               files\n`;

it.each([
  ["of Debian's, with two workers", debian, limits('1024'), 2, 460],
  ['with more connections than files', debian.replace('768', '4096'), limits('1024'), 2, 614],
  ['with more of both', debian.replace('768', '4096'), limits('8192'), 2, 2457],
  ['with a number that only a comment has', '# worker_connections 9999;\n', limits('1024'), 1, 153],
  ['of which nothing is known', '', '', 0, 153],
])('%s', (_, conf, of, workers, room) => {
  expect(roomOf(conf, of, workers)).toEqual({ requests: room });
});

it.each([
  ['30', 30_000],
  ['500ms', 500],
  ['2m', 120_000],
  ['1h30m', 5_400_000],
  ['"1h 30m"', 5_400_000],
  ['1M', 2_592_000_000],
])('those that wait through a reload are ended after worker_shutdown_timeout %s', (time, afterMs) => {
  const { ends } = roomOf(`${debian}worker_shutdown_timeout ${time};\n`, '', 1);
  expect(ends).toEqual({ afterMs, by: 'worker_shutdown_timeout' });
});

it('a worker_shutdown_timeout of nothing, or in a comment, ends nobody', () => {
  expect(roomOf('worker_shutdown_timeout 0;\n# worker_shutdown_timeout 5s;\n', '', 1).ends).toBeUndefined();
});
