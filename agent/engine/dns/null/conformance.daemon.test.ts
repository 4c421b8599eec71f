// null as one of the dns engines: the suite of its type, with a person who does what the engine tells, word by word, on a
// name server of this test.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeHost } from '../../../host/fake.ts';
import { describeDnsEngine } from '../../conformance/dns.ts';
import { type DnsServer, startDnsServer } from '../../conformance/dns-server.ts';
import type { DnsSubject, DnsWorld } from '../../conformance/dns-stage.ts';
import { type DnsStage, openDnsStage, record, SITE, siteSpec, specOf } from '../../conformance/dns-stage.ts';
import { canonical } from '../record.ts';
import { createNullDnsEngine } from './engine.ts';
import { createLookUp } from './look-up.ts';

const WITHIN_MS = 1500;

const subject: DnsSubject = {
  name: 'null',
  openWorld: async () => worldOf(await startDnsServer()),
  createEngine: ({ address }) =>
    createNullDnsEngine({ lookUp: createLookUp({ servers: [address], timeoutMs: 500 }), withinMs: WITHIN_MS }),
  createHost: async () => createFakeHost(),
  remembers: false,
  patienceMs: WITHIN_MS + 1500,
};

describeDnsEngine(subject);

function worldOf(server: DnsServer): DnsWorld & { readonly server: DnsServer } {
  return {
    server,
    address: server.address,
    add: server.add,
    remove: server.remove,
    everything: async () => server.records().map(({ name, type, data }) => `${name} ${type} ${data}`),
    async carryOut(todos) {
      for (const todo of todos) for (const line of todo.split('; then ')) carryOut(server, line);
    },
    silence: (on) => server.misbehave(on ? 'silent' : undefined),
    close: server.close,
  };
}

/** As a person would who reads only this line. */
function carryOut(server: DnsServer, line: string): void {
  const told = /^(set|remove) (\S+)\. (?:(\d+) )?IN (\S+) (.+?)(?: \([^()]*\))? at your DNS provider(.*)$/.exec(line);
  if (told === null) throw new Error(`a person cannot tell what to do: ${line}`);
  const [, verb, name = '', ttl, type = '', data = '', more = ''] = told;
  const alias = /instead of its CNAME (\S+)\. /.exec(more)?.[1];
  if (alias !== undefined) server.remove(name, 'CNAME', alias);
  const written = canonical(type, data);
  if (verb === 'remove') server.remove(name, type, written);
  else server.add(name, type, written, Number(ttl));
}

describe('dns/null, by itself', () => {
  let stage: DnsStage;
  let server: DnsServer;
  beforeEach(async () => {
    server = await startDnsServer();
    stage = await openDnsStage({ ...subject, openWorld: async () => worldOf(server) });
  });
  afterEach(() => stage.close());

  it('tells a person exactly what to set, and what is there now', async () => {
    server.add('www.example.org', 'A', '203.0.113.5');
    const one = specOf(SITE, record('www.example.org', 'A', '192.0.2.10', 300));
    await stage.apply(one);
    expect(stage.todos).toEqual([
      'set www.example.org. 300 IN A 192.0.2.10 at your DNS provider (now: 203.0.113.5)',
      "remove www.example.org. IN A 203.0.113.5 at your DNS provider: it is no address of the site's web server",
    ]);
  });

  it('is content with a chain of CNAMEs that ends at the site, and with a wildcard', async () => {
    server.add('www.example.org', 'CNAME', 'a.example.net');
    server.add('a.example.net', 'CNAME', 'b.example.net');
    server.add('b.example.net', 'A', '192.0.2.10');
    server.add('*.wild.example.org', 'A', '192.0.2.10');
    const spec = specOf(
      SITE,
      record('www.example.org', 'A', '192.0.2.10'),
      record('any.wild.example.org', 'A', '192.0.2.10'),
    );
    expect(await stage.plan(spec)).toEqual([]);
    expect(await stage.remove(spec)).toEqual([
      "remove www.example.org. IN CNAME a.example.net. at your DNS provider (it leads to the site's server)",
      'remove any.wild.example.org. 3600 IN A 192.0.2.10 at your DNS provider',
    ]);
  });

  it.each(['a.localhost', 'a.test', 'a.invalid', 'a.b.example', 'printer.local', 'x.home.arpa', 'single'])(
    'neither asks nor tells about %s, which no public DNS has',
    async (name) => {
      const spec = specOf(SITE, record(name, 'A', '127.0.0.1'));
      expect(await stage.plan(spec)).toEqual([]);
      expect(await stage.remove(spec)).toEqual([]);
      expect(server.asked).toEqual([]);
    },
  );

  it.each([
    ['SERVFAIL', 'SERVFAIL'],
    ['REFUSED', 'REFUSED'],
    ['silent', 'in time'],
    ['garbage', 'nonsense'],
  ] as const)('says why it cannot know: %s', async (how, why) => {
    await stage.apply(siteSpec());
    server.misbehave(how, 'www.example.org');
    const planned = await stage.plan(siteSpec());
    expect(planned).toHaveLength(2);
    for (const line of planned) {
      expect(line).toMatch(
        /^make sure that www\.example\.org\. .* is set at your DNS provider \(it cannot be looked up/,
      );
      expect(line).toContain(why);
    }
    // Nothing is told to be gone because nobody could see it.
    const removal = await stage.engine.remove(stage.service, SITE, siteSpec(), stage.ctx);
    expect(removal.filter(({ summary }) => summary.startsWith('make sure that www.example.org. '))).toHaveLength(2);
  });

  it('asks each question once', async () => {
    await stage.plan(siteSpec());
    expect(new Set(server.asked).size).toBe(server.asked.length);
  });

  it('tells all of many records in few messages', async () => {
    const records = Array.from({ length: 150 }, (_, index) => record(`n${index}.example.org`, 'A', '192.0.2.10'));
    const spec = specOf(SITE, ...records);
    await stage.apply(spec);
    expect(stage.todos.length).toBeLessThan(20);
    expect(Math.max(...stage.todos.map(({ length }) => length))).toBeLessThan(4096);
    expect(await stage.plan(spec)).toEqual([]);
  });
});
