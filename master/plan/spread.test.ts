// Plans about clusters whose heads have files of their own: what comes before what, and from where there is no way back.
import { expect, test } from 'vitest';
import { snapshot } from '../../test/records.ts';
import { spreadCases } from '../task/testing/spread-cases.ts';

const planOf = (name: string) => {
  const found = spreadCases(snapshot).find((each) => each.name === name);
  if (found === undefined) throw new Error(`there is no case ${name}`);
  return found.plan;
};
const words = (name: string) =>
  planOf(name).steps.map(({ kind, args }) => {
    const { state, to } = args as { state?: string; to?: unknown };
    return [kind, state, typeof to === 'string' ? to : undefined].filter((word) => word !== undefined).join(' ');
  });

test('another head takes writes: bulk first, then visitors are held for the rest, then only forward', () => {
  expect(words('cluster writer')).toEqual([
    'sync.files',
    'gate.hold',
    'http.publish held',
    'sync.files',
    'site.restore',
    'site.restore',
    'site.writer svc-0123456789abcds2',
    'http.publish enabled',
    'http.publish enabled',
    'gate.forward',
    'move.wait',
    'http.publish enabled',
    'gate.close',
  ]);
  const { steps, pointOfNoReturn, warnings } = planOf('cluster writer');
  expect(steps[pointOfNoReturn ?? -1]?.kind).toBe('gate.forward');
  expect(steps[3]?.args).toMatchObject({ must: true, deadline: { step: 1, millis: 60_000 } });
  // The one that takes them now is told before the front leads them there, and the old one last.
  const published = steps.filter(({ kind }) => kind === 'http.publish').map(({ args }) => args);
  expect(published.map((args) => ('cron' in args ? args.cron : undefined))).toEqual([true, true, false, false]);
  expect(warnings).toEqual([expect.stringMatching(/wait while the last changes travel, 60 s at most/)]);
});

test('a drain hands writes over before the head gets no more requests', () => {
  const kinds = planOf('cluster drain of the head that takes writes').steps.map(({ kind }) => kind);
  expect(kinds.indexOf('gate.close')).toBeLessThan(kinds.indexOf('head.record'));
  expect(planOf('cluster drain of the head that takes writes').locks).toHaveLength(2);
});

test('a head that is given up is not touched, and what it had alone is told', () => {
  const { steps, warnings, pointOfNoReturn } = planOf('cluster drain of a head that is given up');
  expect(steps.filter(({ serverId }) => serverId === snapshot.servers[0]?.id)).toEqual([]);
  expect(steps.map(({ kind }) => kind)).not.toContain('sync.files');
  expect(pointOfNoReturn).toBeNull();
  expect(warnings.join()).toMatch(/goes on with the files .* took that never reached it stays there alone/);
});

test('a head has files before it answers for the site', () => {
  const kinds = planOf('cluster add with files').steps.map(({ kind }) => kind);
  expect(kinds.indexOf('site.prepare')).toBeLessThan(kinds.indexOf('sync.files'));
  expect(kinds.indexOf('sync.files')).toBeLessThan(kinds.indexOf('http.publish'));
  const back = planOf('cluster activate of a head that was given up').steps;
  expect(back.find(({ kind }) => kind === 'sync.files')?.args).toMatchObject({ discard: true, must: true });
});
