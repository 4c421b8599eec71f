// Actions as a master sends them, for tests; each part can be replaced.
import type { Action } from '../../shared/gen/aegir/v1/agent.ts';
import { DbSpec, HttpSpec, ServiceRef, SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';

const BODY = '0123456789abcdef';
export const SERVER_ID = `srv-${BODY}`;
export const SITE_ID = `site-${BODY}`;
export const PASSWORD = "pass'word&42\\x";
export const SALT = 'saltSALT0123456789saltSALT0123456789';

export function serviceRef(part: Partial<ServiceRef> = {}): ServiceRef {
  const id = `svc-${BODY}`;
  return ServiceRef.fromPartial({ id, serverId: SERVER_ID, type: 'db', engine: 'fake', ...part });
}

export function dbSpec(part: Partial<DbSpec> = {}): DbSpec {
  return DbSpec.fromPartial({
    siteId: SITE_ID,
    database: 'aegir_x',
    user: 'aegir_x',
    password: PASSWORD,
    from: ['127.0.0.1'],
    ...part,
  });
}

export function siteSpec(part: Partial<SiteSpec> = {}): SiteSpec {
  return SiteSpec.fromPartial({
    id: SITE_ID,
    name: 'example.org',
    url: 'http://example.org',
    platform: { id: `plat-${BODY}`, app: 'wordpress', root: '/srv/wordpress' },
    title: 'Example',
    adminName: 'admin',
    adminMail: 'admin@example.org',
    salt: SALT,
    db: {
      driver: 'mysql',
      host: '127.0.0.1',
      port: 3306,
      database: 'aegir_x',
      user: 'aegir_x',
      password: PASSWORD,
    },
    ...part,
  });
}

export function httpSpec(part: Partial<HttpSpec> = {}): HttpSpec {
  return HttpSpec.fromPartial({
    siteId: SITE_ID,
    name: 'example.org',
    app: 'wordpress',
    platform: { id: `plat-${BODY}`, app: 'wordpress', root: '/srv/wordpress' },
    url: 'http://example.org',
    state: 'enabled',
    ...part,
  });
}

/** An apply-db of a task; id, generation and resource as given. */
export function applyDb(id: string, generation = 1n, part: Partial<Action> = {}): Action {
  return action(
    id,
    { $case: 'apply', value: { service: serviceRef(), preview: false, spec: { $case: 'db', value: dbSpec() } } },
    { generation, ...part },
  );
}

export function action(id: string, request: Action['request'], part: Partial<Action> = {}): Action {
  return {
    id,
    attempt: 1,
    generation: 1n,
    resource: `site/${SITE_ID}`,
    expiresAt: new Date(Date.now() + 60_000),
    taskId: `task-${BODY}`,
    step: 0,
    urgent: false,
    request,
    ...part,
  };
}
