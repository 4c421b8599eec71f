// What a dns engine does when things go wrong: drift, interruptions, names that are none, and name servers that say
// nothing. A part of the conformance suite (dns.ts).
import { describe, expect, it } from 'vitest';
import type { DnsRecord, DnsSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import type { DnsWorld } from './dns-stage.ts';
import { type DnsStage, type DnsSubject, IDN, record, SITE, siteSpec, specOf } from './dns-stage.ts';
import { cancelAfter, contextOf, dieAt, summaries } from './interruption.ts';
import { rows } from './rows.ts';

const WWW = 'www.example.org';

export function describeDnsFailures(
  subject: DnsSubject,
  stage: () => DnsStage,
  expectPublished: () => Promise<void>,
): void {
  describe('drift', () => {
    const cases: readonly [what: string, harm: (world: DnsWorld) => unknown, says: string][] = [
      ['a record that is gone', (world) => world.remove(WWW, 'A'), `${WWW}. 3600 IN A 192.0.2.10`],
      ['a name that is gone', (world) => world.remove(IDN), `${IDN}. 3600 IN AAAA 2001:db8::10`],
      [
        'a wrong address instead of the right one',
        async (world) => {
          await world.remove(WWW, 'A');
          await world.add(WWW, 'A', '203.0.113.5');
        },
        '203.0.113.5',
      ],
      ['a wrong address beside the right one', (world) => world.add(WWW, 'A', '203.0.113.5'), 'A 203.0.113.5'],
      [
        'a wrong IPv6 address beside the right one',
        (world) => world.add(IDN, 'AAAA', '2001:db8::bad'),
        '2001:db8::bad',
      ],
      ['a TTL that is too long', (world) => world.add(WWW, 'A', '192.0.2.10', 86_400), `${WWW}. 3600 IN A 192.0.2.10`],
      [
        'a CNAME in place of the records',
        async (world) => {
          await world.remove(WWW);
          await world.add(WWW, 'CNAME', 'cdn.example.org');
          await world.add('cdn.example.org', 'A', '203.0.113.5');
        },
        'cdn.example.org',
      ],
      [
        'a CNAME that leads nowhere',
        async (world) => {
          await world.remove(WWW);
          await world.add(WWW, 'CNAME', 'gone.example.org');
        },
        'gone.example.org',
      ],
      [
        'a chain of CNAMEs to a wrong address',
        async (world) => {
          await world.remove(WWW);
          await world.add(WWW, 'CNAME', 'one.example.org');
          await world.add('one.example.org', 'CNAME', 'two.example.org');
          await world.add('two.example.org', 'A', '203.0.113.6');
        },
        '203.0.113.6',
      ],
    ];

    for (const [some, options] of rows(cases, 4)) {
      it.each(some)('%s is found, named and mended', options, async (_what, harm, says) => {
        await stage().apply(siteSpec());
        await harm(stage().world);
        expect((await stage().plan(siteSpec())).join('\n')).toContain(says);
        await stage().apply(siteSpec());
        await expectPublished();
      });
    }

    it('of one site is not drift of another', async () => {
      await stage().apply(siteSpec());
      const other = specOf('site-0000000000000002', record('two.example.org', 'A', '192.0.2.10'));
      await stage().apply(other);
      await stage().world.remove(WWW);
      expect(await stage().plan(other)).toEqual([]);
    });

    it('a wrong address of a family that the site does not have is found too', async () => {
      const spec = specOf(SITE, record('four.example.org', 'A', '192.0.2.10'));
      await stage().apply(spec);
      await stage().world.add('four.example.org', 'AAAA', '2001:db8::bad');
      expect((await stage().plan(spec)).join('\n')).toContain('2001:db8::bad');
      await stage().apply(spec);
      expect(await stage().answers('four.example.org', 'AAAA')).toEqual([]);
      expect(await stage().plan(spec)).toEqual([]);
    });
  });

  it('a TTL is lowered ahead of a move, and raised again', async () => {
    const withTtl = (ttl: number): DnsSpec => specOf(SITE, record(WWW, 'A', '192.0.2.10', ttl));
    await stage().apply(withTtl(3600));
    expect(await stage().apply(withTtl(60))).toEqual([expect.stringContaining(`${WWW}. 60 IN A 192.0.2.10`)]);
    expect(await stage().plan(withTtl(60))).toEqual([]);
    await stage().apply(withTtl(3600));
    expect(await stage().plan(withTtl(3600))).toEqual([]);
  });

  describe('an interruption', () => {
    const changesOf = (verb: 'plan' | 'remove', spec: DnsSpec) => (ctx: DnsStage['ctx']) =>
      verb === 'plan'
        ? stage().engine.plan(stage().service, spec, ctx)
        : stage().engine.remove(stage().service, spec.siteId, spec, ctx);
    const finish = async (verb: 'plan' | 'remove'): Promise<void> => {
      if (verb === 'plan') {
        await stage().apply(siteSpec());
        await expectPublished();
      } else {
        await stage().remove(siteSpec());
        expect(summaries(await changesOf('remove', siteSpec())(stage().ctx))).toEqual([]);
      }
    };

    it.each(['plan', 'remove'] as const)('by cancelling between any two changes of %s is made good', async (verb) => {
      for (let nth = 0; ; nth++) {
        await (verb === 'plan' ? stage().remove(siteSpec()) : stage().apply(siteSpec()));
        if (!(await cancelAfter(nth, stage().host, changesOf(verb, siteSpec())))) {
          expect(nth).toBe(4);
          break;
        }
        await finish(verb);
      }
    });

    it.each(['plan', 'remove'] as const)('by death anywhere in %s is made good by the next agent', async (verb) => {
      for (let nth = 1; ; nth++) {
        await (verb === 'plan' ? stage().remove(siteSpec()) : stage().apply(siteSpec()));
        if ((await dieAt(nth, stage().host, changesOf(verb, siteSpec()))) === undefined) {
          expect(nth).toBeGreaterThan(4);
          break;
        }
        await finish(verb);
      }
    });

    it('while it asks ends it at once', async () => {
      stage().world.silence(true);
      const abort = new AbortController();
      const since = performance.now();
      const planned = stage().engine.plan(
        stage().service,
        siteSpec(),
        contextOf(stage().host, undefined, abort.signal),
      );
      setTimeout(() => abort.abort(), 50);
      await expect(planned).rejects.toMatchObject({ code: 'cancelled' });
      expect(performance.now() - since).toBeLessThan(Math.min(2000, subject.patienceMs));
    });
  });

  describe('what nobody answers', () => {
    it('is told as unknown in bounded time, however many records there are, and is no reason to think them right', async () => {
      await stage().apply(siteSpec());
      stage().world.silence(true);
      const names = Array.from({ length: 60 }, (_, index) => `n${index}.example.org`);
      const spec = specOf(SITE, ...names.map((name) => record(name, 'A', '192.0.2.10')));
      const since = performance.now();
      const planned = await stage()
        .plan(spec)
        .catch((error: Error) => [error.message]);
      expect(performance.now() - since).toBeLessThan(subject.patienceMs);
      expect(planned.length).toBeGreaterThan(0);
      expect(planned.join('\n')).toMatch(/time|answer/);
    });
  });

  describe('a record that could be misread', () => {
    const misread: readonly (readonly [what: string, bad: DnsRecord])[] = [
      ['a name with a newline', record('a.example.org\nb', 'A', '192.0.2.1')],
      ['a name with a space', record('a.example.org 60 IN A 192.0.2.66', 'A', '192.0.2.1')],
      ['a name with an escape', record('a\\046example.org', 'A', '192.0.2.1')],
      ['a name that is not in ASCII', record('bücher.example.org', 'A', '192.0.2.1')],
      ['a name with an empty label', record('a..example.org', 'A', '192.0.2.1')],
      ['a label of 64 characters', record(`${'a'.repeat(64)}.example.org`, 'A', '192.0.2.1')],
      ['no name', record('', 'A', '192.0.2.1')],
      ['data of two lines', record('a.example.org', 'TXT', 'one\nb.example.org. IN A 192.0.2.66')],
      ['data with a line separator', record('a.example.org', 'TXT', 'one\u2028two')],
      ['no data', record('a.example.org', 'A', '')],
    ];

    it('is refused before anything is asked or done', async () => {
      const before = await stage().world.everything();
      for (const [what, bad] of misread) {
        const spec = specOf(SITE, record('good.example.org', 'A', '192.0.2.1'), bad);
        await expect(stage().plan(spec), what).rejects.toMatchObject({ code: 'invalid_argument' });
        await expect(stage().remove(spec), what).rejects.toMatchObject({ code: 'invalid_argument' });
      }
      expect(await stage().world.everything()).toEqual(before);
      expect(stage().todos).toEqual([]);
    });
  });
}
