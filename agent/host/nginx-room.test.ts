// How many requests may wait in nginx, by its configuration and the files that its workers may open.
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
  expect(roomOf(conf, of, workers)).toBe(room);
});
