import { expect, test } from 'vitest';
import type { ServiceRef } from '../../../shared/gen/aegir/v1/spec.ts';
import { gitSettings } from './git/settings.ts';
import { directoryOf, remoteDirectoryOf, sizeOf, yesOrNo } from './settings.ts';
import { fingerprint, sshSettings } from './ssh.ts';
import { svnSettings } from './subversion/svn.ts';

const KEY = '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0IHNlY3JldA==\n-----END OPENSSH PRIVATE KEY-----\n';
const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

function service(settings: Record<string, string>, secrets: Record<string, string> = {}): ServiceRef {
  return {
    ...{
      id: 'svc-0000000000000001',
      serverId: 'srv-0000000000000001',
      type: 'file',
      engine: 'x',
      version: '',
      instance: '',
    },
    ...{ settings, secrets },
  };
}

test.each([
  ['20G', 20 * 1024 ** 3],
  ['500M', 500 * 1024 ** 2],
  ['1TiB', 1024 ** 4],
  ['4096', 4096],
])('%s is a size', (quota, bytes) => expect(sizeOf(service({ quota }), 'quota')).toBe(bytes));

test.each(['0', '-1', '1.5G', 'much', '9999999T'])('%s is no size', (quota) =>
  expect(() => sizeOf(service({ quota }), 'quota')).toThrow(/"quota": .* is no size/),
);

test.each(['srv/x', '/srv/../etc', '/', '/srv//x'])('%s is no directory to keep objects in', (path) =>
  expect(() => directoryOf(service({ path }), 'path')).toThrow(/settings "path"/),
);

test.each(['/srv/backups', 'backups', 'my backups/a+b,c@d=e', '/srv/Sicherung ä/x'])(
  '%s is a place elsewhere',
  (path) => expect(remoteDirectoryOf(service({ path }))).toBe(path),
);

test.each(['../x', '/a/../b', '~/x', '-rf', "a'b", 'a"b', 'a$(b)', 'a\nb', 'a*', 'a//b', 'a\\b', '/', 'a;b', '`a`'])(
  '%s is no place elsewhere',
  (path) => expect(() => remoteDirectoryOf(service({ path }))).toThrow(/settings "path"/),
);

test('yes and no are said in two ways', () => {
  expect(['yes', 'true', 'no', 'false'].map((local) => yesOrNo(service({ local }), 'local'))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(() => yesOrNo(service({ local: '1' }), 'local')).toThrow(/neither yes nor no/);
});

const ssh = { host: 'nas.example.org', user: 'backup', path: 'x' };

test.each([
  [HOST_KEY, HOST_KEY],
  [`${HOST_KEY} root@nas`, HOST_KEY],
  [`[nas.example.org]:2222 ${HOST_KEY}`, HOST_KEY],
  [`SHA256:${'x'.repeat(43)}`, `SHA256:${'x'.repeat(43)}`],
])('the host key may be %s', (hostKey, read) => {
  expect(sshSettings(service({ ...ssh, 'host-key': hostKey }, { key: KEY }))).toMatchObject({
    hostKey: read,
    port: 22,
  });
});

test.each(['', 'yes', 'MD5:aa:bb', 'ssh-dss AAAA', 'ssh-ed25519 x\ny'])('the host key may not be "%s"', (hostKey) =>
  expect(() => sshSettings(service({ ...ssh, 'host-key': hostKey }, { key: KEY }))).toThrow(/settings "host-key"/),
);

test('a fingerprint is that of ssh-keygen', () => {
  expect(fingerprint('AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')).toMatch(
    /^SHA256:[A-Za-z0-9+/]{43}$/,
  );
});

test.each([[{}], [{ key: KEY, password: 'both' }], [{ key: 'hush-hush' }], [{ password: 'a\nb' }]])(
  'credentials are one key or one password, and never quoted (%#)',
  (secrets: Record<string, string>) => {
    expect(() => sshSettings(service({ ...ssh, 'host-key': HOST_KEY }, secrets))).toThrow(/^(?!.*hush).*secrets/);
  },
);

test.each([
  [
    'ssh://git@nas.example.org:2222/srv/b.git',
    { protocol: 'ssh', ssh: { host: 'nas.example.org', port: 2222, user: 'git' } },
  ],
  ['git@github.com:us/backups.git', { protocol: 'ssh', ssh: { host: 'github.com', port: 22, user: 'git' } }],
  ['https://git.example.org/b.git', { protocol: 'https', https: { user: 'us', password: undefined } }],
  ['/srv/b.git', { protocol: 'file' }],
])('git takes %s', (url, expected) => {
  const secrets: Record<string, string> = expected.protocol === 'ssh' ? { key: KEY } : {};
  const user: Record<string, string> = expected.protocol === 'https' ? { user: 'us' } : {};
  expect(gitSettings(service({ url, 'host-key': HOST_KEY, ...user }, secrets))).toMatchObject({
    branch: 'aegir',
    ...expected,
  });
});

test.each([
  'http://git.example.org/b.git',
  'git://git.example.org/b.git',
  'ext::sh -c id',
  'https://us:hush@git.example.org/b.git',
  'ssh://-oProxyCommand=id/x',
  'ssh://git@-oProxyCommand=id/x',
  'git@-oProxyCommand=id:x',
  'git@-host.example.org:x',
  'git@host-.example.org:x',
  'git@host..example.org:x',
  '-uorigin',
  'relative/path',
  '/srv/../etc',
])('git does not take %s', (url) => {
  expect(() => gitSettings(service({ url, 'host-key': HOST_KEY }, { key: KEY }))).toThrow(/settings "url"/);
});

test.each(['main', 'aegir/backups', 'v1.0'])('%s is a branch', (branch) =>
  expect(gitSettings(service({ url: '/srv/b.git', branch })).branch).toBe(branch),
);
test.each(['-d', 'a..b', 'a.lock', 'a/', '/a', 'a b', 'a~1', '.a'])('%s is no branch', (branch) =>
  expect(() => gitSettings(service({ url: '/srv/b.git', branch }))).toThrow(/settings "branch"/),
);

test.each(['svn://nas.example.org/backups/store', 'https://svn.example.org/b/', 'file:///srv/svn/b'])(
  'svn takes %s',
  (url) => expect(svnSettings(service({ url })).url).toBe(url.replace(/\/$/, '')),
);
test.each([
  ...['svn+ssh://nas/x', 'http://nas/x', '--config-option=x', 'svn://us@nas/x', '/srv/svn', 'svn://nas/a@1'],
  ...['file://nas/x', 'file:///srv/%00', 'file:///srv%2fx'],
])('svn does not take %s', (url) => expect(() => svnSettings(service({ url }))).toThrow(/settings "url"/));
test('svn has a user and a password, or neither', () => {
  expect(() => svnSettings(service({ url: 'svn://nas/x', user: 'us' }))).toThrow(/needed both/);
  expect(() => svnSettings(service({ url: 'svn://nas/x' }, { password: 'hush-hush' }))).toThrow(
    /^(?!.*hush).*needed both/,
  );
});
