// Certificates of an authority whose terms nobody agreed to: told before any task begins.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SetSiteRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { type MasterApi, openMasterApi } from '../../test/master-api.ts';
import { ids, service } from '../../test/records.ts';
import type { Caller } from './deps.ts';
import { setSite } from './set-site.ts';

const OPERATOR: Caller = { actor: 'o', role: 'operator' };
let master: MasterApi;
beforeAll(async () => {
  master = await openMasterApi();
  const web = service(ids.nginx, ids.web1, 'http', 'nginx', 80);
  await master.store.services.update(ids.nginx, { detected: { ...web.detected, ports: [80, 443] } });
});
afterAll(() => master.close());

function ask(agreed: boolean, https: string) {
  const deps = { ...master.deps, facts: { ...master.deps.facts, acmeAgreed: agreed } };
  const options = { planOnly: true, idempotencyKey: '' };
  return setSite(deps, OPERATOR, SetSiteRequest.fromPartial({ site: ids.site, https, options }));
}

test('without agreement no certificate of an authority is planned, and what to do is said', async () => {
  await expect(ask(false, 'acme')).rejects.toThrow(
    /^cannot get a certificate for \S+: the terms .*termsOfServiceAgreed.* in \/etc\/aegir\/master\.json, and start/,
  );
  expect((await ask(true, 'acme')).plan?.steps.length).toBeGreaterThan(0);
  expect((await ask(false, 'self-signed')).plan?.steps.length).toBeGreaterThan(0);
});
