// bind as one of the dns engines: the suites of its type against a private named, configured as Debian has it.
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon } from '../../../host/host.ts';
import { createRun, ourselves } from '../../../host/process.ts';
import { waitUntil } from '../../../host/wait.ts';
import { describeDnsEngine } from '../../conformance/dns.ts';
import {
  answersFor,
  emptyUpdatedWorld,
  freePort,
  type Running,
  realHost,
  startProgram,
  temporaryDirectory,
  updatedWorld,
} from '../../conformance/dns-daemon.ts';
import { type DnsStage, type DnsWorld, openDnsStage, record, siteSpec } from '../../conformance/dns-stage.ts';
import { describeDnsZones, type ZonesSubject } from '../../conformance/dns-zones.ts';
import { contextOf, summaries } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { secretIn } from './conf.ts';
import { createBindEngine } from './engine.ts';

/** named hears on addresses of interfaces only. */
const ADDRESS = '127.0.0.1';
const WITHIN_MS = 4000;
/** As Debian runs it, where that can be done: it must be able to read and write what we give it. */
const USER = process.geteuid?.() === 0 ? 'bind' : '';
const RNDC_SECRET = 'c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0MTI=';

interface Private {
  readonly directory: string;
  readonly port: number;
  readonly program: Running;
  readonly daemon: Daemon;
}

let latest: Private | undefined;

const subject: ZonesSubject = {
  name: 'bind',
  openWorld,
  emptyWorld: emptyUpdatedWorld,
  createEngine: () => createBindEngine({ withinMs: WITHIN_MS }),
  createHost: async () => hostOf(current()),
  remembers: true,
  patienceMs: WITHIN_MS + 3000,
  async makeForeignZone(name) {
    const { directory } = current();
    const file = join(directory, 'foreign.zone');
    await writeFile(file, `$TTL 60\n@ SOA ns.example.com. a.example.com. 1 2 3 4 5\n@ NS ns.example.com.\n`);
    await rndc(directory, 'addzone', name, `{ type primary; file "${file}"; };`);
  },
};

describeDnsEngine(subject);
describeDnsZones(subject);

function current(): Private {
  if (latest === undefined) throw new Error('no named was started yet');
  return latest;
}

function hostOf({ daemon }: Private) {
  return realHost(daemon);
}

const run = createRun(async () => ourselves());

async function rndc(directory: string, ...args: readonly string[]): Promise<void> {
  const { code, stderr } = await run({ argv: ['rndc', '-c', join(directory, 'rndc.conf'), ...args] });
  if (code !== 0) throw new Error(`rndc ${args.join(' ')}: ${stderr}`);
}

async function startNamed(options = ''): Promise<Private> {
  const directory = await temporaryDirectory('named');
  const [port, control] = [await freePort(ADDRESS), await freePort(ADDRESS)];
  await mkdir(join(directory, 'data'));
  if (USER !== '') await run({ argv: ['chown', '-R', `${USER}:${USER}`, directory] });
  const key = `key "rndc-key" { algorithm hmac-sha256; secret "${RNDC_SECRET}"; };\n`;
  await writeFile(
    join(directory, 'named.conf'),
    `// As Debian's, in parts. options {
include "${directory}/named.conf.options";
${key}controls { inet ${ADDRESS} port ${control} allow { 127.0.0.0/8; } keys { "rndc-key"; }; };
`,
  );
  await writeFile(
    join(directory, 'named.conf.options'),
    `/* options { directory "/nowhere"; }; */
options {
  directory "${directory}/data"; # options {
  pid-file none;
  session-keyfile none;
  listen-on port ${port} { ${ADDRESS}; };
  listen-on-v6 { none; };
  recursion no;
  dnssec-validation no;
  notify no;
  ${options}
};
zone "ready.example" { type primary; file "${directory}/ready.zone"; };
`,
  );
  await writeFile(
    join(directory, 'ready.zone'),
    '$TTL 60\n@ SOA ns.example.com. a.example.com. 1 2 3 4 5\n@ NS ns.example.com.\n',
  );
  const server = `default-server ${ADDRESS}; default-port ${control};`;
  await writeFile(join(directory, 'rndc.conf'), `${key}options { default-key "rndc-key"; ${server} };\n`);
  const program = await launch(directory, port);
  latest = { directory, port, program, daemon: daemonOf(directory, program) };
  return latest;
}

function launch(directory: string, port: number): Promise<Running> {
  const asUser = USER === '' ? [] : ['-u', USER];
  const argv: [string, ...string[]] = ['/usr/sbin/named', '-g', '-c', join(directory, 'named.conf'), ...asUser];
  const place = { address: ADDRESS, port, key: '' };
  return startProgram(argv, directory, () => answersFor(place, 'ready.example'));
}

function daemonOf(directory: string, program: Running): Daemon {
  const never = async (): Promise<void> => {
    throw new Error('this named is started by its test');
  };
  return {
    name: 'named',
    program: '/usr/sbin/named',
    configArguments: ['-c', join(directory, 'named.conf')],
    includeDir: directory,
    addresses: [],
    port: 0,
    socket: '',
    user: USER,
    isRunning: async () => !program.ended(),
    start: never,
    stop: never,
    restart: never,
    reload: () => rndc(directory, 'reload'),
  };
}

async function openWorld(): Promise<DnsWorld> {
  const named = await startNamed();
  const host = hostOf(named);
  const engine = createBindEngine();
  const ctx = contextOf(host);
  const service = {
    id: '',
    serverId: '',
    type: 'dns',
    engine: 'bind',
    version: '',
    instance: '',
    settings: {},
    secrets: {},
  };
  await runChanges(await engine.prepare(service, ctx), ctx);
  const zone = {
    zoneId: 'zone-0000000000000001',
    name: 'example.org',
    nameservers: ['ns.example.com'],
    contact: 'a@example.org',
    ttl: 3600,
    negativeTtl: 1,
    dnssec: false,
  };
  await runChanges(await engine.planZone(service, zone, ctx), ctx);
  const secret = secretIn(await readFile(join(named.directory, 'aegir.key'), 'utf8')) ?? '';
  const place = { address: ADDRESS, port: named.port, key: `hmac-sha256:aegir-key:${secret}` };
  return updatedWorld(place, named.program);
}

describe('dns/bind, by itself', () => {
  let stage: DnsStage;
  beforeEach(async () => {
    stage = await openDnsStage(subject);
  });
  afterEach(() => stage.close());

  it('is prepared once, and asks for its preparation where that is missing', async () => {
    const engine = createBindEngine();
    expect(await engine.prepare(stage.service, stage.ctx)).toEqual([]);
    const named = await startNamed('allow-transfer { 192.0.2.7; };');
    try {
      const ctx = contextOf(hostOf(named));
      const options = join(named.directory, 'named.conf.options');
      const before = await readFile(options, 'utf8');
      if (USER !== '') await run({ argv: ['chgrp', USER, options] });
      await chmod(options, 0o640);
      await expect(
        stage.engine.plan(stage.service, { siteId: 'site-0000000000000001', zone: 'a.b', records: [] }, ctx),
      ).rejects.toThrow(/prepared/);
      const changes = await engine.prepare(stage.service, ctx);
      expect(summaries(changes)).toHaveLength(4);
      expect(await readFile(join(named.directory, 'named.conf.options'), 'utf8')).toBe(before);
      await runChanges(changes, ctx);
      expect(await engine.prepare(stage.service, ctx)).toEqual([]);
      const after = await readFile(join(named.directory, 'named.conf.options'), 'utf8');
      expect(after.replace(/\n\tallow-new-zones yes;[^\n]*/, '')).toBe(before);
      expect((await stat(options)).mode & 0o777).toBe(0o640);
    } finally {
      await named.program.close();
    }
  });

  it('has all again after named was started anew', async () => {
    await stage.apply(siteSpec());
    const { directory, port, program } = current();
    await rndc(directory, 'stop');
    expect(await waitUntil(() => program.ended(), 60_000)).toBe(true);
    const again = await launch(directory, port);
    try {
      expect(await stage.answers('www.example.org', 'A')).toEqual(['192.0.2.10']);
      expect(await stage.plan(siteSpec())).toEqual([]);
    } finally {
      await again.close();
    }
  });

  it('waits with a name server within the zone until it has an address', async () => {
    const engine = createBindEngine();
    const zone = {
      zoneId: 'zone-0000000000000009',
      name: 'example.net',
      nameservers: ['ns1.example.net', 'ns2.example.net'],
      contact: 'a@example.net',
      ttl: 60,
      negativeTtl: 60,
      dnssec: false,
    };
    const make = async () => runChanges(await engine.planZone(stage.service, zone, stage.ctx), stage.ctx);
    expect((await make()).join()).toMatch(/^(?!.*ns2).*ns1\.example\.net/);
    expect(await make()).toEqual([]);
    const records = [record('ns2.example.net', 'A', '192.0.2.54', 60)];
    await stage.apply({ siteId: zone.zoneId, zone: 'example.net', records });
    expect((await make()).join()).toContain('ns2.example.net');
    expect(await make()).toEqual([]);
    // Now its address cannot go any more, and BIND says so.
    const removal = stage.apply({ siteId: zone.zoneId, zone: 'example.net', records: [] });
    await expect(removal).rejects.toMatchObject({ code: 'permission_denied' });
  });

  it('respects that somebody does not want new zones', async () => {
    const named = await startNamed('allow-new-zones no;');
    try {
      const prepared = createBindEngine().prepare(stage.service, contextOf(hostOf(named)));
      await expect(prepared).rejects.toThrow(/"allow-new-zones no"/);
    } finally {
      await named.program.close();
    }
  });
});
