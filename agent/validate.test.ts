import { describe, expect, test } from 'vitest';
import { AegirError } from '../shared/error.ts';
import type { Action } from '../shared/gen/aegir/v1/agent.ts';
import { PhpSpec } from '../shared/gen/aegir/v1/spec.ts';
import {
  action,
  applyDb,
  dbSpec,
  httpSpec,
  PASSWORD,
  SALT,
  SERVER_ID,
  SITE_ID,
  serviceRef,
  siteSpec,
} from './testing/requests.ts';
import { validateAction } from './validate.ts';

type Request = NonNullable<Action['request']>;
const http = serviceRef({ type: 'http', engine: 'nginx' });
const dns = serviceRef({ type: 'dns', engine: 'null' });
const file = serviceRef({ type: 'file', engine: 'mesh' });
const platform = { id: 'plat-0123456789abcdef', app: 'wordpress', root: '/srv/wordpress' };
const record = { name: 'www.example.org', type: 'A', ttl: 300, data: '192.0.2.1' };

const apply = (spec: Extract<Request, { $case: 'apply' }>['value']['spec'], service = serviceRef()): Request => ({
  $case: 'apply',
  value: { service, preview: false, spec },
});
const applyHttp = (part: object): Request => apply({ $case: 'http', value: { ...httpSpec(), ...part } }, http);
const applyDbSpec = (part: object): Request => apply({ $case: 'db', value: { ...dbSpec(), ...part } });
const applyDns = (part: object): Request =>
  apply({ $case: 'dns', value: { siteId: SITE_ID, zone: 'example.org', records: [record], ...part } }, dns);
const site = (part: object): Request => ({
  $case: 'prepareSite',
  value: { site: { ...siteSpec(), ...part }, preview: false },
});
const withDb = (part: object) => site({ db: { ...siteSpec().db, ...part } });
const runCron = (php: Partial<PhpSpec>): Request => ({
  $case: 'runCron',
  value: { site: siteSpec(), php: PhpSpec.fromPartial(php) },
});
const probe = (path: string, user = '', password = ''): Request => ({
  $case: 'probeSite',
  value: { site: siteSpec(), service: http, path, behindFront: false, asksPassword: false, user, password },
});
const receive = (part: object): Request => ({
  $case: 'receiveObject',
  value: { grant: { body: Buffer.alloc(100), signature: Buffer.alloc(64) }, senderName: 'web1', ...part },
});
const verify = (part: object): Request => ({ $case: 'verifyPlatform', value: { platform: { ...platform, ...part } } });

const good: Record<string, Action> = {
  'apply db': applyDb('a'),
  'apply http': action('a', applyHttp({ aliases: ['www.example.org'], php: { version: '8.2', maxChildren: 5 } })),
  'apply http on a port': action('a', applyHttp({ name: 'demo.localhost', url: 'http://demo.localhost:8081' })),
  'apply http over https': action('a', applyHttp({ url: 'https://example.org' })),
  'apply dns': action('a', applyDns({ records: [record, { ...record, name: '*.example.org' }] })),
  'apply dns without a zone': action('a', applyDns({ zone: '', records: [{ ...record, name: '_acme.example.org' }] })),
  'apply file': action('a', apply({ $case: 'file', value: { root: '/srv/backup', quotaBytes: 0n } }, file)),
  'remove without a spec': action('a', {
    $case: 'remove',
    value: { service: http, siteId: SITE_ID, preview: false, spec: undefined },
  }),
  'prepare service': action('a', { $case: 'prepareService', value: { service: http, preview: false } }),
  'prepare site': action('a', site({})),
  'site over a socket': action('a', withDb({ host: '', port: 0, socket: '/run/mysqld/mysqld.sock' })),
  'site without a database': action('a', site({ db: undefined })),
  'install site': action('a', { $case: 'installSite', value: { site: siteSpec() } }),
  'login link': action('a', { $case: 'loginLink', value: { site: siteSpec(), account: 'Jörg Müller' } }),
  'apply http with cron': action('a', applyHttp({ cron: { intervalSeconds: 60 } })),
  'run cron': action('a', runCron({ version: '8.2' })),
  probe: action('a', probe('/a?b=c')),
  'diagnose, asked': action(
    'a',
    { $case: 'diagnose', value: { masterTime: new Date(), services: [], hostOnly: false } },
    {
      taskId: '',
      resource: '',
      generation: 0n,
      expiresAt: undefined,
    },
  ),
  'preview, asked': action('a', { $case: 'prepareSite', value: { site: siteSpec(), preview: true } }, { taskId: '' }),
  'receive an object': action('a', receive({})),
  'find out the app': action('a', verify({ app: '' })),
};

const bad: Record<string, [Action, RegExp]> = {
  'no grant': [action('a', receive({ grant: undefined })), /grant is missing/],
  'an empty grant': [
    action('a', receive({ grant: { body: Buffer.alloc(0), signature: Buffer.alloc(64) } })),
    /grant.body/,
  ],
  'a long grant': [
    action('a', receive({ grant: { body: Buffer.alloc(5000), signature: Buffer.alloc(64) } })),
    /grant.body/,
  ],
  'a grant without a signature': [
    action('a', receive({ grant: { body: Buffer.alloc(9), signature: Buffer.alloc(0) } })),
    /grant.signature/,
  ],
  'a sender with a line end': [action('a', receive({ senderName: 'a\nb' })), /cannot use/],
  'receive without a task': [action('a', receive({}), { taskId: '' }), /task/],
  'no request': [action('a', undefined), /request is missing/],
  'a request of the future': [action('a', { $case: 'format', value: {} } as never), /does not know/],
  'no task': [applyDb('a', 1n, { taskId: '' }), /without a task/],
  'install without a task': [
    action('a', { $case: 'installSite', value: { site: siteSpec() } }, { taskId: '' }),
    /task/,
  ],
  'another task': [applyDb('a', 1n, { taskId: 'task-x' }), /task_id/],
  'no id': [applyDb(''), /^cannot accept the action: id/],
  'an id as long as a novel': [applyDb('a'.repeat(129)), /id/],
  'an id with a line end': [applyDb('a\nb'), /id/],
  'a generation beyond 63 bits': [applyDb('a', 1n << 63n), /generation/],
  'no resource': [applyDb('a', 1n, { resource: '' }), /resource/],
  'a resource with spaces': [applyDb('a', 1n, { resource: 'a b' }), /resource/],
  'no expiry': [applyDb('a', 1n, { expiresAt: undefined }), /expires_at/],
  'an expiry that is none': [applyDb('a', 1n, { expiresAt: new Date(Number.NaN) }), /expires_at/],
  'no service': [
    action('a', { $case: 'prepareService', value: { service: undefined, preview: false } }),
    /service is missing/,
  ],
  'no spec': [action('a', apply(undefined)), /spec is missing/],
  'a spec of another type': [action('a', apply({ $case: 'db', value: dbSpec() }, http)), /spec is for db/],
  'service of another server': [
    action('a', apply({ $case: 'db', value: dbSpec() }, serviceRef({ serverId: 'srv-000000000000000a' }))),
    /not this server/,
  ],
  'service id': [action('a', apply({ $case: 'db', value: dbSpec() }, serviceRef({ id: '../etc' }))), /service.id/],
  'service type': [action('a', apply({ $case: 'db', value: dbSpec() }, serviceRef({ type: 'shell' }))), /service.type/],
  engine: [action('a', apply({ $case: 'db', value: dbSpec() }, serviceRef({ engine: '../x' }))), /service.engine/],
  version: [action('a', apply({ $case: 'db', value: dbSpec() }, serviceRef({ version: '1;rm' }))), /service.version/],
  instance: [
    action('a', apply({ $case: 'db', value: dbSpec() }, serviceRef({ instance: '../x' }))),
    /service.instance/,
  ],
  'site id': [action('a', applyHttp({ siteId: 'site-../../etc' })), /site_id/],
  'host name in upper case': [action('a', applyHttp({ name: 'Example.org' })), /lower case/],
  'host name with a directive': [action('a', applyHttp({ name: 'a;include /etc/passwd' })), /cannot use/],
  'host name that is an address': [action('a', applyHttp({ name: '192.0.2.1' })), /cannot use/],
  'alias twice': [action('a', applyHttp({ aliases: ['example.org'] })), /twice/],
  'too many aliases': [
    action('a', applyHttp({ aliases: Array.from({ length: 201 }, (_, i) => `a${i}.org`) })),
    /more than 200/,
  ],
  'url with a path': [action('a', applyHttp({ url: 'http://example.org/x' })), /http.url/],
  'url with a password': [action('a', applyHttp({ url: 'http://u:p@example.org' })), /http.url/],
  'url of a file': [action('a', applyHttp({ url: 'file:///etc/passwd' })), /http.url/],
  'url with a quote': [action('a', applyHttp({ url: 'http://exa"mple.org' })), /http.url/],
  app: [action('a', applyHttp({ app: 'joomla' })), /http.app/],
  'app that is none': [action('a', applyHttp({ app: 'constructor' })), /http.app/],
  'app of another platform': [action('a', applyHttp({ app: 'drupal' })), /not the app/],
  'no platform': [action('a', applyHttp({ platform: undefined })), /platform is missing/],
  'platform path up': [action('a', applyHttp({ platform: { ...platform, root: '/srv/../etc' } })), /cannot use/],
  'relative platform path': [action('a', verify({ root: 'srv' })), /cannot use/],
  'platform path with a NUL': [action('a', verify({ root: '/srv\0' })), /cannot use/],
  state: [action('a', applyHttp({ state: 'paused' })), /http.state/],
  'php version': [action('a', applyHttp({ php: { version: '8.2 ', maxChildren: 0 } })), /php.version/],
  'php children': [action('a', applyHttp({ php: { version: '', maxChildren: 501 } })), /max_children/],
  'cron too often': [action('a', applyHttp({ cron: { intervalSeconds: 59 } })), /cron.interval_seconds/],
  'cron too rarely': [action('a', applyHttp({ cron: { intervalSeconds: 604_801 } })), /cron.interval_seconds/],
  'cron with wrong limits': [action('a', runCron({ maxChildren: 501 })), /max_children/],
  'cron without a site': [
    action('a', { $case: 'runCron', value: { site: undefined, php: undefined } }),
    /site is missing/,
  ],
  'cron outside of a task': [action('a', runCron({}), { taskId: '' }), /task_id is missing/],
  'database name': [action('a', applyDbSpec({ database: 'a`b' })), /db.database/],
  'database name, long': [action('a', applyDbSpec({ database: 'a'.repeat(65) })), /db.database/],
  'database user': [action('a', applyDbSpec({ user: "root'@'%" })), /db.user/],
  'short password': [action('a', applyDbSpec({ password: 'abc' })), /db.password/],
  'password with a line end': [action('a', applyDbSpec({ password: 'abcdefgh\n' })), /db.password/],
  'no address': [action('a', applyDbSpec({ from: [] })), /db.from/],
  'any address': [action('a', applyDbSpec({ from: ['%'] })), /db.from/],
  zone: [action('a', applyDns({ zone: 'a b' })), /cannot use/],
  'record type': [action('a', applyDns({ records: [{ ...record, type: 'ANY' }] })), /records.type/],
  'record name': [action('a', applyDns({ records: [{ ...record, name: 'a..b' }] })), /records.name/],
  'record data with a line end': [action('a', applyDns({ records: [{ ...record, data: '1\n@ NS x' }] })), /cannot use/],
  'record time': [action('a', applyDns({ records: [{ ...record, ttl: 2_147_483_648 }] })), /records.ttl/],
  'file root': [action('a', apply({ $case: 'file', value: { root: '~/x', quotaBytes: 0n } }, file)), /cannot use/],
  'remove with the spec of another site': [
    action('a', {
      $case: 'remove',
      value: {
        service: serviceRef(),
        siteId: 'site-000000000000000a',
        preview: false,
        spec: { $case: 'db', value: dbSpec() },
      },
    }),
    /another site/,
  ],
  'no site': [action('a', { $case: 'installSite', value: { site: undefined } }), /site is missing/],
  'title with a line end': [action('a', site({ title: 'a\nb' })), /cannot use/],
  'long title': [action('a', site({ title: 'a'.repeat(201) })), /cannot use/],
  'locale as an option': [action('a', site({ locale: '--require=x' })), /locale/],
  'profile as a path': [action('a', site({ profile: '../../x' })), /profile/],
  'admin name as an option': [action('a', site({ adminName: '--exec=x' })), /admin_name/],
  'admin mail as an option': [action('a', site({ adminMail: '-x@example.org' })), /admin_mail/],
  'admin mail': [action('a', site({ adminMail: 'a b' })), /cannot use/],
  'short salt': [action('a', site({ salt: 'short' })), /salt/],
  'salt with a quote': [action('a', site({ salt: `${'a'.repeat(40)}'` })), /salt/],
  'socket and host': [action('a', withDb({ socket: '/run/x.sock' })), /both/],
  'relative socket': [action('a', withDb({ host: '', port: 0, socket: 'x.sock' })), /cannot use/],
  'database port': [action('a', withDb({ port: 65_536 })), /db.port/],
  'database host': [action('a', withDb({ host: 'a;b' })), /cannot use/],
  driver: [action('a', withDb({ driver: 'sqlite' })), /driver/],
  'account as an option': [action('a', { $case: 'loginLink', value: { site: siteSpec(), account: '-e' } }), /account/],
  'probe path to elsewhere': [action('a', probe('//evil.example/')), /path/],
  'probe path with a header': [action('a', probe('/ HTTP/1.1\r\nX: y')), /path/],
  'probe by a user with a colon': [action('a', probe('/', 'a:b', 'long enough')), /user/],
  'probe by no user': [action('a', probe('/', '', 'long enough')), /password/],
  'probe by a password with a line feed': [action('a', probe('/', 'drill', 'long\r\nX: y')), /password/],
  'probe of a database': [
    action('a', {
      $case: 'probeSite',
      value: {
        site: siteSpec(),
        service: serviceRef(),
        path: '',
        behindFront: false,
        asksPassword: false,
        user: '',
        password: '',
      },
    }),
    /must be http/,
  ],
};

describe('validation', () => {
  test.each(Object.entries(good))('accepts %s', (_name, given) => {
    expect(validateAction(given, SERVER_ID).id).toBe('a');
  });

  test.each(Object.entries(bad))('refuses %s', (_name, [given, why]) => {
    let thrown: unknown;
    try {
      validateAction(given, SERVER_ID);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(AegirError);
    const error = thrown as AegirError;
    expect(error.code).toBe('invalid_argument');
    expect(error.message).toMatch(why);
    expect(error.message).not.toContain(PASSWORD);
    expect(error.message).not.toContain(SALT);
  });
});
