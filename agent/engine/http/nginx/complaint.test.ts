// What nginx says, as we read it; the texts are nginx's own.
import { expect, it } from 'vitest';
import { conflictingNames, readNginxTest } from './complaint.ts';

const END = 'nginx: configuration file /etc/nginx/nginx.conf test failed';

it.each([
  [
    `nginx: [emerg] unknown directive "foo" in /etc/nginx/conf.d/x.conf:3\n${END}`,
    { message: 'unknown directive "foo"', file: '/etc/nginx/conf.d/x.conf', line: 3 },
  ],
  [
    `2026/11/23 09:10:24 [emerg] 16173#16173: unexpected end of file, expecting ";" or "}" in /etc/nginx/a b.conf:2\n${END}`,
    { message: 'unexpected end of file, expecting ";" or "}"', file: '/etc/nginx/a b.conf', line: 2 },
  ],
  [
    `nginx: [warn] something\nnginx: [emerg] open() "/x/access.log" failed (2: No such file or directory)\n${END}`,
    { message: 'open() "/x/access.log" failed (2: No such file or directory)', file: undefined, line: undefined },
  ],
  ['Killed', { message: 'Killed', file: undefined, line: undefined }],
  ['', { message: 'it ended with code 1', file: undefined, line: undefined }],
])('finds the cause in %j', (output, complaint) => {
  expect(readNginxTest(1, output).complaint).toEqual(complaint);
});

it('finds names that two virtual hosts claim, in either form of a line', () => {
  const output = `nginx: [warn] conflicting server name "a.org" on 0.0.0.0:80, ignored
2026/11/23 09:10:24 [warn] 1#1: conflicting server name "b.org" on [::]:80, ignored
nginx: [warn] conflicting server name "a.org" on [::]:80, ignored
nginx: configuration file /etc/nginx/nginx.conf test is successful`;
  const { complaint, warnings } = readNginxTest(0, output);
  expect(complaint).toBeUndefined();
  expect(conflictingNames(warnings)).toEqual(['a.org', 'b.org']);
});
