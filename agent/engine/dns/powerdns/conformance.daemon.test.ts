// powerdns as one of the dns engines: the suites of its type against a private PowerDNS with its SQLite backend.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import type { Daemon } from '../../../host/host.ts';
import { describeDnsEngine } from '../../conformance/dns.ts';
import {
  answersFor,
  freePort,
  type Running,
  realHost,
  startProgram,
  temporaryDirectory,
  transferred,
} from '../../conformance/dns-daemon.ts';
import { type DnsWorld, openDnsStage, siteSpec } from '../../conformance/dns-stage.ts';
import { describeDnsZones, type ZonesSubject } from '../../conformance/dns-zones.ts';
import { contextOf, summaries } from '../../conformance/interruption.ts';
import { runChanges } from '../../engine.ts';
import { presentation } from '../rdata.ts';
import { createPowerdnsEngine } from './engine.ts';

const ADDRESS = '127.53.9.1';
const KEY = 'test-api-key';
const WITHIN_MS = 3000;
const SCHEMA = '/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql';

interface Private {
  readonly directory: string;
  readonly port: number;
  readonly api: string;
  readonly program: Running;
  readonly daemon: Daemon;
}

let latest: Private | undefined;

const subject: ZonesSubject = {
  name: 'powerdns',
  openWorld,
  emptyWorld: async () => {
    const sets = (await setsOf(current())).filter(
      ({ type, name }) => name !== 'example.org.' || !/^(SOA|NS)$/.test(type),
    );
    if (sets.length > 0) await patch(current(), ...sets.map((set) => ({ ...set, changetype: 'DELETE' })));
  },
  createEngine: () => createPowerdnsEngine({ withinMs: WITHIN_MS }),
  createHost: async () => realHost(current().daemon),
  remembers: true,
  patienceMs: WITHIN_MS + 2000,
  makeForeignZone: (name) => makeZone(current(), name),
};

describeDnsEngine(subject);
describeDnsZones(subject);

function current(): Private {
  if (latest === undefined) throw new Error('no PowerDNS was started yet');
  return latest;
}

async function call({ api }: Private, method: string, path: string, body?: unknown): Promise<unknown> {
  const answer = await fetch(`${api}/api/v1/servers/localhost/zones${path}`, {
    method,
    headers: { 'X-API-Key': KEY },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`cannot change the zone as a person: ${text}`);
  return text === '' ? undefined : JSON.parse(text);
}

async function makeZone(pdns: Private, name: string): Promise<void> {
  await call(pdns, 'POST', '', { name: `${name}.`, kind: 'Native', nameservers: ['ns.example.com.'] });
}

async function startPdns(): Promise<Private> {
  const directory = await temporaryDirectory('pdns');
  const [port, apiPort] = [await freePort(ADDRESS), await freePort(ADDRESS)];
  await mkdir(join(directory, 'pdns.d'));
  const database = new DatabaseSync(join(directory, 'pdns.sqlite3'));
  database.exec(await readFile(SCHEMA, 'utf8'));
  database.exec(
    "INSERT INTO domains (name, type) VALUES ('ready.example', 'NATIVE');" +
      'INSERT INTO records (domain_id, name, type, content, ttl, auth) ' +
      "VALUES (1, 'ready.example', 'SOA', 'a. b. 1 2 3 4 5', 60, 1);",
  );
  database.close();
  await writeFile(join(directory, 'pdns.d', 'backend.conf'), 'launch=gsqlite3\ngsqlite3-dnssec=yes\n');
  await writeFile(
    join(directory, 'pdns.conf'),
    `include-dir=${directory}/pdns.d
gsqlite3-database=${directory}/pdns.sqlite3
local-address=${ADDRESS}
local-port=${port} # of this test
api=yes
api-key=${KEY}
webserver=yes
webserver-address=${ADDRESS}
webserver-port=${apiPort}
socket-dir=${directory}
security-poll-suffix=
allow-axfr-ips=127.0.0.0/8
`,
  );
  const argv = ['/usr/sbin/pdns_server', `--config-dir=${directory}`, '--guardian=no', '--daemon=no'] as const;
  const api = `http://${ADDRESS}:${apiPort}`;
  const place = { address: ADDRESS, port, key: '' };
  const answers = () =>
    fetch(`${api}/api/v1/servers`, { headers: { 'X-API-Key': KEY } }).then(
      (answer) => answer.ok,
      () => false,
    );
  const ready = async () => (await answersFor(place, 'ready.example')) && (await answers());
  const program = await startProgram([...argv], directory, ready);
  latest = { directory, port, api, program, daemon: daemonOf(directory, program) };
  return latest;
}

function daemonOf(directory: string, program: Running): Daemon {
  const never = async (): Promise<void> => {
    throw new Error('this PowerDNS is started by its test');
  };
  return {
    name: 'pdns',
    program: '/usr/sbin/pdns_server',
    configArguments: [`--config-dir=${directory}`],
    includeDir: `${directory}/pdns.d`,
    addresses: [],
    port: 0,
    socket: '',
    user: '',
    isRunning: async () => !program.ended(),
    start: never,
    stop: never,
    restart: never,
    reload: never,
  };
}

interface ApiSet {
  readonly name: string;
  readonly type: string;
  readonly ttl: number;
  readonly records: readonly { readonly content: string; readonly disabled: boolean }[];
}

async function setsOf(pdns: Private): Promise<readonly ApiSet[]> {
  const zone = (await call(pdns, 'GET', '/example.org.')) as { readonly rrsets: readonly ApiSet[] };
  return zone.rrsets;
}

function patch(pdns: Private, ...rrsets: readonly object[]): Promise<unknown> {
  return call(pdns, 'PATCH', '/example.org.', { rrsets });
}

async function openWorld(): Promise<DnsWorld> {
  const pdns = await startPdns();
  await makeZone(pdns, 'example.org');
  const sets = async (name: string) => (await setsOf(pdns)).filter((set) => set.name === `${name}.`);
  return {
    address: `${ADDRESS}:${pdns.port}`,
    async add(name, type, data, ttl = 60) {
      const shown = presentation(type, data);
      const there = (await sets(name)).find((set) => set.type === type)?.records ?? [];
      const records = [...there.filter(({ content }) => content !== shown), { content: shown, disabled: false }];
      await patch(pdns, { name: `${name}.`, type, ttl, changetype: 'REPLACE', records });
    },
    async remove(name, type, data) {
      const its = (await sets(name)).filter((set) => type === undefined || set.type === type);
      const changed = its.map((set) => {
        const shown = data === undefined ? undefined : presentation(set.type, data);
        const records = set.records.filter(({ content }) => shown !== undefined && content !== shown);
        return { ...set, changetype: records.length === 0 ? 'DELETE' : 'REPLACE', records };
      });
      if (changed.length > 0) await patch(pdns, ...changed);
    },
    everything: () => transferred({ address: ADDRESS, port: pdns.port, key: '' }),
    carryOut: async () => {},
    silence: (on) => pdns.program.hang(on),
    close: pdns.program.close,
  };
}

describe('dns/powerdns, by itself', () => {
  it('tells what is wrong with its API and its key, and quotes no key', async () => {
    const stage = await openDnsStage(subject);
    try {
      const { api } = current();
      const planned = (settings: Record<string, string>, secrets: Record<string, string>) =>
        stage.engine.plan({ ...stage.service, settings, secrets }, siteSpec(), stage.ctx);
      expect(await planned({ url: api }, { 'api-key': KEY })).toHaveLength(4);
      await expect(planned({ url: api }, { 'api-key': 'hush-hush' })).rejects.toThrow(
        /^(?!.*hush).*does not take our API key/,
      );
      await expect(planned({ url: api }, {})).rejects.toThrow(/its key is not known/);
      const nobody = `http://${ADDRESS}:${await freePort(ADDRESS)}`;
      await expect(planned({ url: nobody }, { 'api-key': KEY })).rejects.toThrow(/no answer.*ECONNREFUSED/);
      const prepared = (settings: Record<string, string>, key: string) =>
        createPowerdnsEngine().prepare({ ...stage.service, settings, secrets: { 'api-key': key } }, stage.ctx);
      expect(await prepared({ url: api }, KEY)).toEqual([]);
      await expect(prepared({ url: api }, 'hush-hush')).rejects.toThrow(/^(?!.*hush).*does not take our API key/);
      await expect(prepared({ url: nobody }, KEY)).rejects.toThrow(/no answer.*ECONNREFUSED/);
      await expect(planned({ uri: api }, {})).rejects.toThrow(/settings "uri"/);
      await expect(planned({ url: `${api}/elsewhere` }, { 'api-key': KEY })).rejects.toMatchObject({
        code: 'failed_precondition',
      });
    } finally {
      await stage.close();
    }
  });

  it('gets its API where there is none yet, and loses what does not work', async () => {
    let works = true;
    const restart = async (): Promise<void> => {
      if (!works) throw new Error('does not start');
    };
    const host = createFakeHost({
      daemons: [{ name: 'pdns', configArguments: ['--config-dir=/etc/powerdns'], restart }],
    });
    await host.files.write('/etc/powerdns/pdns.conf', 'include-dir=/etc/powerdns/pdns.d\nlaunch=\n', { mode: 0o640 });
    const engine = createPowerdnsEngine();
    const ctx = contextOf(host);
    const service = {
      id: '',
      serverId: '',
      type: 'dns',
      engine: 'powerdns',
      version: '',
      instance: '',
      settings: {},
      secrets: {},
    };
    const changes = await engine.prepare(service, ctx);
    expect(summaries(changes)).toEqual([expect.stringContaining('/etc/powerdns/pdns.d/aegir.conf')]);
    works = false;
    await expect(runChanges(changes, ctx)).rejects.toThrow('does not start');
    expect(await host.files.exists('/etc/powerdns/pdns.d/aegir.conf')).toBe(false);
    works = true;
    await runChanges(changes, ctx);
    // Nothing is left to be made: it is tried, and none runs here.
    await expect(engine.prepare(service, ctx)).rejects.toThrow(/no answer from PowerDNS at http:\/\/127\.0\.0\.1:8081/);
    expect(await host.files.read('/etc/powerdns/pdns.d/aegir.conf')).toMatch(/^api-key=[\w-]{32}$/m);
  });
});
