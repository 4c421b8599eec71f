// How the mount without links is asked for and told of; that it keeps what it says is shown by linkless.daemon.test.ts.
import { describe, expect, it } from 'vitest';
import { createFakeHost, type FakeHost } from '../../../host/fake.ts';
import type { Daemon } from '../../../host/host.ts';
import { contextOf } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { checkLinkless, planLinkless, withoutLinks } from './linkless.ts';

const UNIT = 'aegir-linkless.service';
const PATH = `/etc/systemd/system/${UNIT}`;
const ROOT = '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n';
const MOUNTED = '9 1 8:1 /var/aegir/sites /var/aegir/linkless ro,nosymfollow - ext4 /dev/sda1 rw\n';
const NAS = '2 1 0:9 / /srv/nas rw - nfs4 nas:/a rw\n';
const INCLUDED = '/etc/apache2/conf.d';

async function scene({ start = 0, seen = ROOT } = {}) {
  const said = { state: 'inactive', seen };
  const host = createFakeHost({
    daemons: [{ name: 'apache2', mounts: async () => said.seen }],
    answer: ({ argv }) => {
      const line = argv.join(' ');
      if (line.includes(' show ')) return { stdout: `ActiveState=${said.state}\n` };
      if (!line.includes(' restart ')) return undefined;
      said.state = start === 0 ? 'active' : 'failed';
      if (start === 0) said.seen += MOUNTED;
      return { code: start, stderr: start === 0 ? '' : 'Job failed.\n' };
    },
  });
  const daemon = (await host.daemon('apache2')) as Daemon;
  return { host, daemon, said, ctx: contextOf(host) };
}
const commands = (host: FakeHost) => host.commands.map(({ argv }) => argv.join(' '));
const alias = (host: FakeHost, site: string, name: string, directory: string) =>
  host.files.write(
    `${INCLUDED}/aegir-${site}.conf`,
    `<VirtualHost *:80>\n  ServerName ${name}\n  Alias "/files/" "${directory}/"\n  Alias "/" "/srv/code/"\n</VirtualHost>\n`,
    { mode: 0o644 },
  );

describe('the mount without links', () => {
  it('is left to systemd, for every boot, and asked for once', async () => {
    const { host, daemon, ctx } = await scene();
    expect(await runChanges(await planLinkless(host, daemon), ctx)).toEqual([
      `mount /var/aegir/sites once more without links, for Apache (${PATH})`,
    ]);
    expect(
      commands(host).filter((line) => line.startsWith('systemctl --no-ask-password') && !line.includes('show')),
    ).toEqual(
      ['daemon-reload', `enable -- ${UNIT}`, `restart -- ${UNIT}`].map((args) => `systemctl --no-ask-password ${args}`),
    );
    const unit = await host.files.read(PATH);
    expect(unit).toMatch(/^ExecStart=mount .*\bro\b.*\bnosymfollow \/var\/aegir\/sites \/var\/aegir\/linkless\.new$/m);
    expect(unit).toMatch(/^ExecStart=mount --rbind \/var\/aegir\/linkless\.new \/var\/aegir\/linkless$/m);
    expect(await planLinkless(host, daemon)).toEqual([]);
  });

  it('is asked for again when it was unmounted, or its unit changed', async () => {
    const { host, daemon, said, ctx } = await scene();
    await runChanges(await planLinkless(host, daemon), ctx);
    said.seen = ROOT;
    await runChanges(await planLinkless(host, daemon), ctx);
    expect([said.seen, await planLinkless(host, daemon)]).toEqual([`${ROOT}${MOUNTED}`, []]);
    said.state = 'inactive';
    expect(await planLinkless(host, daemon)).toHaveLength(1);
    said.state = 'active';
    await host.files.write(PATH, '[Service]\n', { mode: 0o644, owner: 'root', group: 'root' });
    expect(await planLinkless(host, daemon)).toHaveLength(1);
  });

  it('that cannot be had fails nothing, is not tried at every verify, and is told of', async () => {
    const { host, daemon, ctx } = await scene({ start: 1 });
    await runChanges(await planLinkless(host, daemon), ctx);
    expect(await planLinkless(host, daemon)).toEqual([]);
    const rules = { docroot: '/a', deny: [], aliases: [{ prefix: '/files/', directory: '/var/aegir/sites/x/files/' }] };
    const before = { ...rules, php: undefined, index: [] };
    expect(await withoutLinks(before, host, daemon)).toEqual(before);
    const [finding, ...more] = await checkLinkless(host, daemon);
    expect([finding?.level, more]).toEqual(['warning', []]);
    expect(finding?.text).toContain(`mend what "systemctl status ${UNIT}" says`);
  });

  it('is none of embedded hosts', async () => {
    const { host, daemon } = await scene();
    const embedded = { ...host, kind: 'embedded' as const };
    expect(await planLinkless(embedded, daemon)).toEqual([]);
    expect(await checkLinkless(embedded, daemon)).toEqual([]);
  });
});

describe('a share', () => {
  it.each([
    [NAS, 1],
    [NAS.replace('rw -', 'rw,nosymfollow -'), 0],
  ])('that is mounted as %j gives %i finding', async (mount, count) => {
    const { host, daemon } = await scene({ seen: `${ROOT}${mount}` });
    await alias(host, 'site-0000000000000001', 'one.example.org', '/srv/nas/site-0000000000000001/files');
    await alias(host, 'site-0000000000000002', 'two.example.org', '/srv/nas/site-0000000000000002/files');
    const texts = (await checkLinkless(host, daemon)).map(({ text }) => text);
    expect(
      texts.filter((text) => text.includes('lie on /srv/nas: mount that with the option nosymfollow')),
    ).toHaveLength(count);
  });
});
