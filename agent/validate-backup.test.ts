// What the agent takes for an order about parts of a site, and what it refuses.
import { describe, expect, it } from 'vitest';
import type { Action } from '../shared/gen/aegir/v1/agent.ts';
import type { PartSource } from '../shared/gen/aegir/v1/backup.ts';
import { action, dbSpec, SERVER_ID, SITE_ID, serviceRef, siteSpec } from './testing/requests.ts';
import { validateAction } from './validate.ts';

type Request = NonNullable<Action['request']>;
type Take = Extract<Request, { $case: 'takeSnapshot' }>['value'];
const OTHER_SITE = 'site-000000000000000a';
const SNAPSHOT = 'snap-0123456789abcdef';
const grant = { body: Buffer.alloc(100), signature: Buffer.alloc(64) };
const source: PartSource = { senderName: 'web1', grant, part: 'files' };

const look = (part: object = {}): Request => ({
  $case: 'lookFiles',
  value: { siteId: SITE_ID, trees: ['files', 'private', 'sessions'], ...part },
});
const files = (trees: string[]): Take['part'] => ({ $case: 'files', value: { trees, last: true } });
const take = (part: Partial<Take> = {}): Request => ({
  $case: 'takeSnapshot',
  value: { snapshotId: SNAPSHOT, site: siteSpec(), part: files(['files']), ...part },
});
const dump = (part: object): Request =>
  take({
    part: { $case: 'database', value: { service: serviceRef(), db: dbSpec(), withoutPosition: false, ...part } },
  });
const drop = (snapshotId: string, keepFor = ''): Request => ({ $case: 'dropSnapshot', value: { snapshotId, keepFor } });
const restore = (part: object): Request => ({
  $case: 'restoreFiles',
  value: { site: siteSpec(), source, trees: ['files'], fetchOnly: false, ...part },
});
const fill = (part: object): Request => ({
  $case: 'restoreDatabase',
  value: { service: serviceRef(), db: dbSpec(), source: { ...source, part: 'database' }, again: false, ...part },
});

describe('of parts of sites', () => {
  it.each<readonly [string, Request]>([
    ['a look at all trees', look()],
    ['a look at one', look({ trees: ['private'] })],
    ['a snapshot of files', take()],
    ['a snapshot of a site with a title that no installer would take', take({ site: siteSpec({ title: 'a\nb' }) })],
    ['a snapshot of a database', dump({})],
    ['the end of a snapshot', drop(SNAPSHOT)],
    ['its end, and what is read for another site', drop(SNAPSHOT, OTHER_SITE)],
    ['files put back', restore({})],
    ['a database put back', fill({})],
  ])('%s is taken', (_, request) => {
    expect(validateAction(action('a', request), SERVER_ID).request).toMatchObject({ kind: request.$case });
  });

  it.each<readonly [string, Request, RegExp]>([
    ['a look at no site', look({ siteId: '' }), /site_id is no id of the form site-/],
    ['a look above sites', look({ siteId: 'site-../../../etc/x' }), /site_id/],
    ['a look at a service', look({ siteId: 'svc-0123456789abcdef' }), /site_id/],
    ['a look at no tree', look({ trees: [] }), /trees must be some of files, private, sessions/],
    ['a look at a tree that sites have not', look({ trees: ['files', 'tmp'] }), /trees/],
    ['a look elsewhere', look({ trees: ['../../etc'] }), /trees/],
    ['a look at one tree twice', look({ trees: ['files', 'files'] }), /trees/],
    ['a look in another order, which would be another digest', look({ trees: ['private', 'files'] }), /trees/],
    ['a snapshot without a name of ours', take({ snapshotId: 'snap-../x' }), /snapshot_id/],
    ['a snapshot of no site', take({ site: undefined }), /site is missing/],
    ['a snapshot of no part', take({ part: undefined }), /part is missing/],
    ['a snapshot of trees that sites have not', take({ part: files(['etc']) }), /trees/],
    ['a dump of another site', dump({ db: dbSpec({ siteId: OTHER_SITE }) }), /another site than site.id/],
    ['a dump by a web server', dump({ service: serviceRef({ type: 'http', engine: 'nginx' }) }), /must be db/],
    ['a dump on another server', dump({ service: serviceRef({ serverId: 'srv-000000000000000a' }) }), /astray/],
    ['an end of no snapshot', drop('snap-'), /snapshot_id/],
    ['an end for no site', drop(SNAPSHOT, '../x'), /keep_for/],
    ['files from nowhere', restore({ source: undefined }), /source is missing/],
    ['files without leave', restore({ source: { ...source, grant: undefined } }), /grant is missing/],
    [
      'files by an endless grant',
      restore({ source: { ...source, grant: { ...grant, body: Buffer.alloc(4097) } } }),
      /grant.body/,
    ],
    [
      'files by an unsigned grant',
      restore({ source: { ...source, grant: { ...grant, signature: Buffer.alloc(63) } } }),
      /signature/,
    ],
    ['files that are a database', restore({ source: { ...source, part: 'database' } }), /source.part must be files/],
    ['a database that is files', fill({ source }), /source.part must be database/],
    ['files from a host with a line end', restore({ source: { ...source, senderName: 'a\nb' } }), /cannot use/],
    ['files into no tree', restore({ trees: [] }), /trees/],
  ])('%s is refused', (_, request, why) => {
    expect(() => validateAction(action('a', request), SERVER_ID)).toThrow(
      expect.objectContaining({ code: 'invalid_argument', message: expect.stringMatching(why) }),
    );
  });

  it('only a look may be asked without a task: it changes nothing', () => {
    const asked = { taskId: '', resource: '', generation: 0n, expiresAt: undefined };
    expect(validateAction(action('a', look(), asked), SERVER_ID)).toMatchObject({ inTask: false });
    for (const request of [take(), drop(SNAPSHOT), restore({}), fill({})]) {
      expect(() => validateAction(action('a', request, asked), SERVER_ID)).toThrow(/task_id/);
    }
  });
});
