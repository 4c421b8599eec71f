// Passwords of those who may see a site: nothing is hashed for a plan, which everybody may ask for, and nothing for
// callers that have gone.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { SetSiteRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { isPasswordHash } from '../../shared/http-auth.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids } from '../../test/records.ts';
import type { AdminDeps, Draft } from './deps.ts';
import { setSite } from './set-site.ts';

let master: MasterApi;
let hashed: { password: string; gone: AbortSignal | undefined }[];
let drafts: Draft[];
let deps: AdminDeps;

beforeAll(async () => {
  master = await openMasterApi();
  deps = {
    ...master.deps,
    hashPassword: (password, gone) => {
      hashed.push({ password, gone });
      return master.deps.hashPassword(password, gone);
    },
    preview: async (plan, draft, role) => {
      drafts.push(draft);
      return master.deps.preview(plan, draft, role);
    },
  };
});
beforeEach(() => {
  hashed = [];
  drafts = [];
});
afterAll(() => master.close());

const request = (planOnly: boolean) =>
  SetSiteRequest.fromPartial({
    site: ids.site,
    authUsers: Array.from({ length: 50 }, (_, i) => ({ name: `u${i}`, password: 'correct horse' })),
    options: { planOnly, idempotencyKey: '' },
  });

test('a plan hashes nothing, and previews with what has the form of a hash', async () => {
  const { plan } = await setSite(deps, { actor: 'v', role: 'viewer' }, request(true));
  expect(plan?.steps.length).toBeGreaterThan(0);
  expect(hashed).toEqual([]);
  const sealed = drafts.flatMap(({ secrets = [] }) => secrets.map(({ id, sealed }) => deps.unseal(id, sealed)));
  expect(sealed).toHaveLength(50);
  expect(sealed.every(isPasswordHash)).toBe(true);
});

test('a change hashes each, as long as somebody waits', async () => {
  const { signal: gone } = new AbortController();
  await setSite(deps, { actor: 'o', role: 'operator', gone }, request(false));
  expect(hashed).toHaveLength(50);
  expect(new Set(hashed.map((one) => one.gone))).toEqual(new Set([gone]));
});
