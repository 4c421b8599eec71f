import { expect, test } from 'vitest';
import { listeningInodes } from './apache-workers.ts';
import { isNewGeneration } from './generation.ts';
import { interfaceAddresses } from './identity.ts';
import { parseMounts } from './mounts.ts';
import { isAccepting } from './nginx-workers.ts';
import { prettyName } from './os-release.ts';
import { parsePasswd } from './passwd.ts';
import { parseStat } from './proc.ts';

test('mounts: data only, network ones flagged, each device once, odd names', () => {
  const text = `proc /proc proc rw 0 0
/dev/vda1 / ext4 rw 0 0
tmpfs /run tmpfs rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vda1 /var/bind ext4 rw 0 0
nas:/export /srv/my\\040files nfs4 rw 0 0
host:/x /home/a fuse.sshfs rw 0 0
/dev/vdb /data xfs rw 0 0
systemd-1 /data autofs rw 0 0
/dev/vdb /data xfs rw 0 0
cgroup2 /sys/fs/cgroup cgroup2 rw 0 0
`;
  expect(parseMounts(text)).toEqual([
    { mount: '/', type: 'ext4', network: false },
    { mount: '/tmp', type: 'tmpfs', network: false },
    { mount: '/srv/my files', type: 'nfs4', network: true },
    { mount: '/home/a', type: 'fuse.sshfs', network: true },
    { mount: '/data', type: 'xfs', network: false },
  ]);
});

test('addresses: no loopback, no link-local, IPv4 first, each once', () => {
  const one = (address: string, family: 'IPv4' | 'IPv6', internal = false) =>
    ({ address, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never;
  const found = interfaceAddresses({
    lo: [one('127.0.0.1', 'IPv4', true), one('::1', 'IPv6', true)],
    eth0: [one('2001:db8::1', 'IPv6'), one('192.0.2.1', 'IPv4'), one('fe80::1', 'IPv6')],
    eth1: [one('192.0.2.1', 'IPv4'), one('169.254.1.1', 'IPv4')],
  });
  expect(found).toEqual(['192.0.2.1', '2001:db8::1']);
});

test.each([
  ['PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME=x', 'Debian GNU/Linux 12 (bookworm)'],
  ["NAME=x\nPRETTY_NAME='Odd'", 'Odd'],
  ['PRETTY_NAME="a \\"b\\""', 'a "b"'],
  ['', 'Linux'],
])('os-release %j', (text, name) => expect(prettyName(text)).toBe(name));

test('a process may be called anything', () => {
  const tail = Array.from({ length: 40 }, (_, i) => i).join(' ');
  expect(parseStat(`42 (a) b (c) S 7 40 ${tail}`)).toEqual({
    pid: 42,
    state: 'S',
    parent: 7,
    group: 40,
    startTicks: 16,
  });
  expect(parseStat('')).toBeUndefined();
});

test('a generation is new when no worker of the old one accepts', () => {
  expect(isAccepting('nginx: worker process')).toBe(true);
  expect(isAccepting('nginx: worker process is shutting down')).toBe(false);
  expect(isAccepting('nginx: master process /usr/sbin/nginx')).toBe(false);
  expect(isNewGeneration([1, 2], [3, 4])).toBe(true);
  expect(isNewGeneration([1, 2], [2, 3])).toBe(false);
  expect(isNewGeneration([1, 2], [])).toBe(false);
});

test('passwd lines', () => {
  expect(parsePasswd('aegir-x:x:990:991:Aegir site:/var/aegir/sites/x:/usr/sbin/nologin')).toEqual({
    name: 'aegir-x',
    uid: 990,
    gid: 991,
    home: '/var/aegir/sites/x',
  });
  expect(parsePasswd('')).toBeUndefined();
});

test('sockets that listen, among those that are connected', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 0 10 -1
`;
  expect(listeningInodes(table)).toEqual(['4711']);
  expect(listeningInodes('')).toEqual([]);
});
