// Which virtual hosts Apache says it has, and which of their names are claimed twice; the dump is Apache's own.
import { expect, it } from 'vitest';
import { conflictingNames, conflicts, conflictWarnings, readVirtualHosts } from './virtual-hosts.ts';

const DIR = '/etc/apache2/sites-enabled';
const OURS = `${DIR}/aegir-site-0000000000000001.conf`;

const DUMP = `VirtualHost configuration:
[::1]:80               six.example (${DIR}/aaa.conf:15)
192.0.2.9:80           alone.example (${DIR}/aaa.conf:5)
*:80                   is a NameVirtualHost
         default server 127.0.0.1 (${DIR}/000-default.conf:1)
         port 80 namevhost 127.0.0.1 (${DIR}/000-default.conf:1)
         port 80 namevhost one.example (${DIR}/aaa.conf:1)
                 alias www.One.example
                 wild alias *.wild.example
         port 80 namevhost aegir.invalid (${DIR}/aegir-00-http.conf:8)
         port 80 namevhost mine.example (${OURS}:2)
                 alias www.one.example
                 alias a.wild.example
                 alias later.example
                 alias alone.example
                 alias tls.example
         port 80 namevhost zz.example (${DIR}/zz.conf:3)
                 wild alias later.*
                 alias mine.example
*:443                  tls.example (${DIR}/aaa.conf:9)
`;

it('reads every virtual host with its names, in order', () => {
  const hosts = readVirtualHosts(DUMP);
  expect(hosts.map(({ port, names }) => `${port} ${names[0]}`)).toEqual([
    '80 six.example',
    '80 alone.example',
    '80 127.0.0.1',
    '80 one.example',
    '80 aegir.invalid',
    '80 mine.example',
    '80 zz.example',
    '443 tls.example',
  ]);
  expect(hosts[3]).toEqual({
    port: '80',
    file: `${DIR}/aaa.conf`,
    line: '1',
    names: ['one.example', 'www.one.example'],
    wildcards: ['*.wild.example'],
  });
  expect(readVirtualHosts('VirtualHost configuration:\n')).toEqual([]);
});

it('finds names of ours that another one has, or takes by a wildcard before ours', () => {
  const found = conflicts(readVirtualHosts(DUMP), DIR, 80);
  expect(found).toEqual([
    { name: 'alone.example', other: `${DIR}/aaa.conf:5` },
    { name: 'www.one.example', other: `${DIR}/aaa.conf:1` },
    { name: 'a.wild.example', other: `${DIR}/aaa.conf:1` },
    { name: 'mine.example', other: `${DIR}/zz.conf:3` },
  ]);
  expect(conflictingNames(conflictWarnings(found))).toEqual(found.map(({ name }) => name));
});

it('does not mind virtual hosts of others that have a name twice, nor one that stands at two addresses', () => {
  const theirs = `*:80                   is a NameVirtualHost
         port 80 namevhost a.example (${DIR}/a.conf:1)
         port 80 namevhost a.example (${DIR}/b.conf:1)
`;
  expect(conflicts(readVirtualHosts(theirs), DIR, 80)).toEqual([]);
  const twice = `127.0.0.1:80           mine.example (${OURS}:2)\n[::1]:80               mine.example (${OURS}:2)\n`;
  expect(conflicts(readVirtualHosts(twice), DIR, 80)).toEqual([]);
});

it('takes warnings of other kinds for no conflict', () => {
  expect(conflictingNames(['Warning: DocumentRoot [/none] does not exist'])).toEqual([]);
});
