import { describe, expect, test } from 'vitest';
import { facts, graphOf, ids, server, service, site, snapshot } from '../../test/records.ts';
import { judgeCertificates } from './certificates.ts';
import { DEBIAN, LIFETIMES } from './end-of-life.ts';
import { finding, makeReport } from './finding.ts';
import { judgeFound } from './leftover.ts';
import { judgePorts, portLooks } from './ports.ts';
import { judgePresence, seenOf } from './presence.ts';
import { judgeVersions } from './versions.ts';

const DAY = 86_400_000;
const at = (day: string) => Date.parse(`${day}T12:00:00Z`);
const all = () => true;

describe('makeReport', () => {
  const about = { serverId: ids.web1, madeAt: 1, checkOnly: false, seen: { addresses: [], versions: {} } };
  const one = (group: 'host' | 'site', severity: 'ok' | 'warning' | 'error', subject: string, repaired = false) =>
    finding(group, severity, 'a.b', subject, 't', { repaired });

  test('by group, the worst first; what was repaired counts no more', () => {
    const report = makeReport(about, [
      ...[
        one('site', 'warning', 'b', true),
        one('site', 'error', 'c'),
        one('host', 'ok', 'd'),
        one('host', 'warning', 'e'),
      ],
      one('site', 'warning', 'a'),
    ]);
    expect(report.findings.map(({ subject }) => subject)).toEqual(['e', 'd', 'c', 'a', 'b']);
    expect(report).toMatchObject({ errors: 1, warnings: 2, repaired: 1, leftOut: 0 });
  });

  test('too many: the least grave are left out, and counted', () => {
    const many = Array.from({ length: 1500 }, (_, i) => one('host', 'ok', `${i}`));
    const report = makeReport(about, [...many, one('site', 'error', 'x')]);
    expect(report.findings).toHaveLength(1000);
    expect(report.findings.at(-1)).toMatchObject({ subject: 'x' });
    expect(report).toMatchObject({ leftOut: 501, errors: 1 });
  });
});

describe('versions', () => {
  const program = (engine: string, version: string) => {
    const made = service('svc-0123456789abcde9', ids.web1, '', engine, 0);
    return { ...made, detected: { ...made.detected, version } };
  };
  const judged = (os: string, engine: string, version: string, day: string) =>
    judgeVersions({ ...facts('192.0.2.1'), os, kernel: '6.1.0-18-amd64' }, [program(engine, version)], at(day));

  test.each([
    ['2026-01-01', 'ok'],
    ['2026-06-01', 'warning'],
    ['2026-11-23', 'info'],
    ['2028-05-01', 'warning'],
    ['2028-07-01', 'error'],
  ])('Debian 12 on %s: %s', (day, severity) => {
    expect(judged('Debian GNU/Linux 12 (bookworm)', 'nginx', '1.22.1', day)[0]).toMatchObject({ severity });
  });

  test.each([
    // Debian maintains what it ships, after its project stopped.
    ['Debian GNU/Linux 12', 'nginx', '1.22.1', '2026-11-23', 'ok', 'version.program'],
    ['Debian GNU/Linux 12', 'nginx', '1.22.1', '2028-07-01', 'warning', 'version.program'],
    ['Fedora 40', 'nginx', '1.22.1', '2026-11-23', 'warning', 'version.program'],
    ['Debian GNU/Linux 12', 'php-fpm', '8.1.2', '2026-11-23', 'warning', 'version.program'],
    ['Debian GNU/Linux 12', 'php-fpm', '8.3.9', '2026-11-23', 'ok', 'version.program'],
    ['Debian GNU/Linux 12', 'php-fpm', '8.3.9', '2027-12-01', 'warning', 'version.program'],
    ['Fedora 40', 'postgresql', '15.8', '2026-11-23', 'ok', 'version.program'],
    ['Fedora 40', 'mariadb', '10.1.48', '2026-11-23', 'info', 'version.unknown'],
    ['Fedora 40', 'mariadb', '10.11.6-MariaDB', '2026-11-23', 'ok', 'version.program'],
    ['Fedora 40', 'nginx', '1.99.0', '2026-11-23', 'info', 'version.unknown'],
    ['Fedora 40', 'apache', '2.4.62', '2026-11-23', 'ok', 'version.program'],
    ['Fedora 40', 'nats', '2.9.10', '2026-11-23', 'info', 'version.unknown'],
  ])('%s, %s %s on %s: %s', (os, engine, version, day, severity, code) => {
    expect(judged(os, engine, version, day)[2]).toMatchObject({ severity, code, subject: `${engine} ${version}` });
  });

  test('what the table does not know is unknown', () => {
    const [system, kernel] = judgeVersions({ ...facts('192.0.2.1'), os: 'Slackware', kernel: '6.12.1' }, [], 0);
    expect([system, kernel]).toMatchObject([{ code: 'version.unknown' }, { code: 'version.unknown' }]);
  });

  test('each fact has its source and when it was read, and days are days', () => {
    for (const { source, read, ends } of [...Object.values(LIFETIMES)]) {
      expect(source).toContain('https://');
      for (const day of [read, ...Object.values(ends)]) if (day !== 'none') expect(Date.parse(day)).toBeGreaterThan(0);
    }
    for (const { ends, ltsEnds } of Object.values(DEBIAN.releases))
      expect(Date.parse(ltsEnds)).toBeGreaterThan(Date.parse(ends));
  });
});

describe('presence', () => {
  const patched = (id: string, patch: object) =>
    graphOf({ services: snapshot.services.map((each) => (each.id === id ? { ...each, ...patch } : each)) });
  const judged = (graph: ReturnType<typeof graphOf>, before?: ReturnType<typeof seenOf>) =>
    judgePresence(graph, graph.server('web1'), before).map(({ code, subject }) => `${code} ${subject}`);

  test('what vanished, what is new, what stopped', () => {
    expect(judged(graphOf())).toEqual([]);
    expect(judged(patched(ids.nginx, { state: 'missing' }))).toEqual(['service.vanished web1/nginx']);
    expect(judged(patched(ids.nginx, { state: 'detected' }))).toEqual(['service.new web1/nginx']);
    const stopped = { ...service(ids.nginx, ids.web1, 'http', 'nginx', 80).detected, running: false };
    expect(judged(patched(ids.nginx, { detected: stopped }))).toEqual(['service.stopped web1/nginx']);
  });

  test('what changed since the last report', () => {
    const before = seenOf(graphOf(), graphOf().server('web1'));
    expect(judged(graphOf(), before)).toEqual([]);
    expect(judged(graphOf(), { addresses: ['192.0.2.99'], versions: { [ids.nginx]: '0.9' } })).toEqual([
      'service.version web1/nginx',
      'server.addresses addresses',
    ]);
  });
});

describe('what is there of sites', () => {
  const front = service('svc-0123456789abcdea', ids.web1, 'http', 'cluster', 80, { instance: 'pool' });
  const head = (serviceId: string) => ({
    ...{ id: 'head-0123456789abcde1', clusterId: front.id, serviceId, state: 'leaving' as const, weight: 1 },
  });
  const fronted = () => ({ ...site, bindings: { ...site.bindings, http: front.id } });
  const thing = (siteId: string, serviceId: string, what: string) => ({ siteId, serviceId, what });

  test('those of the graph are no news; one that it does not know is named with all that is there of it', () => {
    const lost = 'site-00000000000lost1';
    const findings = judgeFound(graphOf(), ids.web1, [
      thing(ids.site, ids.nginx, 'virtual host'),
      thing(lost, ids.nginx, 'virtual host'),
      thing(lost, ids.nginx, 'pool of PHP 8.2'),
      thing(lost, ids.nginx, 'virtual host'),
      thing(lost, 'svc-gone', 'database'),
    ]);
    expect(findings).toMatchObject([
      {
        ...{ group: 'site', severity: 'warning', code: 'site.unknown', subject: lost },
        text: 'the master knows no such site, and it is there: virtual host on web1/nginx, pool of PHP 8.2 on web1/nginx, database',
        advice: expect.stringMatching(/bring back a newer one/),
      },
    ]);
    expect(judgeFound(graphOf(), ids.web1, [])).toEqual([]);
  });

  const ends = { platformId: ids.platform, http: ids.nginx, db: ids.mariadb };
  const other = service('svc-0123456789abcde9', ids.db1, 'http', 'nginx', 80);
  const moving = { from: ends, to: { ...ends, http: other.id }, phase: 'moved' as const };

  test.each<[string, Parameters<typeof graphOf>[0], ReadonlySet<string>, string]>([
    ['what a move that was given up left behind is named', {}, new Set(), 'directory /x, virtual host on db1/nginx'],
    ['while it moves, both ends have it', { sites: [{ ...site, moving }] }, new Set(), ''],
    ['while a task works with it, nobody knows', {}, new Set([site.id]), ''],
    ['heads of its cluster have it', { heads: [head(other.id)], sites: [fronted()] }, new Set(), ''],
  ])('of a site that is elsewhere: %s', (_, patch, busy, there) => {
    const graph = graphOf({ services: [...snapshot.services, other, front], ...patch });
    const found = [thing(site.id, '', 'directory /x'), thing(site.id, other.id, 'virtual host')];
    const findings = judgeFound(graph, ids.db1, found, busy);
    expect(findings.map(({ code, subject, text }) => `${code} ${subject} ${text}`)).toEqual(
      there === '' ? [] : [`site.leftover example.org it is not on this server, and of it is left here: ${there}`],
    );
    // Where it is, nothing of it is left over.
    const here = [thing(site.id, '', 'directory /x'), thing(site.id, ids.nginx, 'virtual host')];
    expect(judgeFound(graphOf({ services: graph.services }), ids.web1, here)).toEqual([]);
    expect(judgeFound(graph, ids.db1, [thing(site.id, ids.mariadb, 'database')])).toEqual([]);
  });
});

describe('certificates', () => {
  const judged = (left: number, life = 90 * DAY, https: 'acme' | 'off' = 'acme') => {
    const made = { source: 'acme' as const, names: [], issuer: 'X', chainPem: '', keySecret: '' };
    const now = 4_000_000_000_000;
    const certificate = { ...made, notBefore: now + left - life, notAfter: now + left };
    const graph = graphOf({ sites: [{ ...site, web: { ...site.web, https }, certificate }] });
    return judgeCertificates(graph, graph.server('web1'), now).filter(({ group }) => group === 'certificate');
  };

  test.each([
    [60 * DAY, []],
    [29 * DAY, ['warning']],
    [-1, ['error']],
  ])('of a site with %i ms left', (left, severities) => {
    expect(judged(left).map(({ severity }) => severity)).toEqual(severities);
    expect(judged(left, 90 * DAY, 'off')).toEqual([]);
  });

  test.each([
    [20, 'ok'],
    [5, 'warning'],
    [-1, 'error'],
  ])('of an agent with %i hours left: %s', (hours, severity) => {
    const servers = [server(ids.web1, 'web1', '192.0.2.11', { certificateExpiresAt: 1e12 + hours * 3_600_000 })];
    const graph = graphOf({ servers: [...servers, ...snapshot.servers.slice(1)] });
    expect(judgeCertificates(graph, graph.server('web1'), 1e12)[0]).toMatchObject({
      severity,
      code: 'agent.certificate',
    });
  });
});

describe('ports', () => {
  const web2 = server('srv-0123456789abcde3', 'web2', '192.0.2.12');
  const graph = graphOf({ servers: [...snapshot.servers, web2] });
  const told = (name: string, of = graph) =>
    portLooks(of, of.server(name), all).map(
      ({ from, port, wanted }) =>
        `${from === '' ? 'master' : of.server(from).name} ${port} ${wanted ? 'shall' : 'better not'}`,
    );

  test('a web server by everybody, a database by those who use it', () => {
    expect(told('web1')).toEqual(['master 80 shall', 'db1 80 shall', 'web2 80 shall']);
    expect(told('db1')).toEqual(['master 3306 better not', 'web1 3306 shall', 'web2 3306 better not']);
  });

  test('only services that are enabled, only agents that are connected, only known addresses', () => {
    expect(portLooks(graph, graph.server('db1'), () => false).map(({ from }) => from)).toEqual(['']);
    const off = graphOf({ services: snapshot.services.map((each) => ({ ...each, state: 'detected' as const })) });
    expect(told('web1', off)).toEqual([]);
    const lost = { ...server(ids.db1, 'db1', ''), facts: { ...facts(''), addresses: [] } };
    expect(told('db1', graphOf({ servers: [snapshot.servers[0] ?? web2, lost] }))).toEqual([]);
  });

  test('one agent is asked for no more than sixteen ports', () => {
    const services = Array.from({ length: 40 }, (_, i) =>
      service(`svc-01234567890000${i + 10}`, ids.web1, 'http', 'nginx', 1000 + i, { instance: `${i}` }),
    );
    const many = graphOf({ services: [...snapshot.services, ...services] });
    const looks = portLooks(many, many.server('web1'), all);
    expect(looks.filter(({ from }) => from === ids.db1)).toHaveLength(16);
  });

  test('what the answers mean', () => {
    const looks = portLooks(graph, graph.server('db1'), all);
    const judged = (...answers: ('open' | 'refused' | 'silent' | undefined)[]) =>
      judgePorts(graph, looks, answers).map(({ severity, code }) => `${severity} ${code}`);
    expect(judged('silent', 'open', 'silent')).toEqual(['ok port.reached']);
    expect(judged('silent', 'silent', 'silent')).toEqual(['error port.closed']);
    expect(judged('open', 'open', 'refused')).toEqual(['warning port.open']);
    expect(judged('refused', undefined, 'refused')).toEqual(['info port.unknown', 'ok port.reached']);
    const [closed] = judgePorts(graph, looks, ['refused', 'refused', 'refused']);
    expect(closed?.text).toBe('192.0.2.21:3306 is not reached from web1 (refused)');
  });
});
