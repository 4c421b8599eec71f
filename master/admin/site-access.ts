// What a change of a site says of who may see it, and of an administrator's own lines in its virtual host: judged here,
// passwords hashed and sealed before anything is kept.
import { AegirError } from '../../shared/error.ts';
import type { ChangeOptions, SetSiteRequest } from '../../shared/gen/aegir/v1/admin.ts';
import { DEFAULT_REALM, isAuthUser, isRealm, MOST_AUTH_USERS, passwordFault } from '../../shared/http-auth.ts';
import { checkedSnippet } from '../../shared/snippet/snippet.ts';
import type { Graph } from '../graph/graph.ts';
import type { SecretRecord, SiteAuth, SiteRecord, SiteSnippet } from '../store/model.ts';
import { audit } from './audit.ts';
import type { AdminDeps, Caller } from './deps.ts';

export interface NewUsers {
  readonly users: SiteAuth['users'];
  readonly secrets: readonly SecretRecord[];
}

const invalid = (message: string): never => {
  throw new AegirError('invalid_argument', message);
};

/** Stands in plans for a hash that is yet to be made: of the right form, and of no password that anybody could find. */
const HASH_TO_COME = `$6$${'.'.repeat(16)}$${'.'.repeat(86)}`;

/** The hash of a password, sealed. A plan hashes nothing: that costs, and everybody may ask for plans. */
export async function hashSecret(
  deps: AdminDeps,
  caller: Caller,
  options: ChangeOptions | undefined,
  password: string,
): Promise<SecretRecord> {
  const id = deps.newId('sec');
  const hash = options?.planOnly === true ? HASH_TO_COME : await deps.hashPassword(password, caller.gone);
  return { id, sealed: deps.seal(id, hash) };
}

/** Hashes and seals; the passwords end here. */
export async function newUsers(deps: AdminDeps, caller: Caller, request: SetSiteRequest): Promise<NewUsers> {
  const given = request.authUsers;
  if (given.length > MOST_AUTH_USERS || request.removeAuthUsers.length > MOST_AUTH_USERS)
    invalid(`cannot let so many see a site: ${MOST_AUTH_USERS} users are the most`);
  for (const { name, password } of given) {
    if (!isAuthUser(name)) {
      invalid(`cannot use ${JSON.stringify(name)} as user: 1 to 64 letters, digits and ._@+- are needed`);
    }
    const fault = passwordFault(password);
    if (fault !== undefined) invalid(`cannot use that password of ${name}: ${fault}`);
    if (given.filter((user) => user.name === name).length > 1) invalid(`cannot add ${name}: it is given twice`);
  }
  const users: SiteAuth['users'][number][] = [];
  const secrets: SecretRecord[] = [];
  for (const { name, password } of given) {
    const secret = await hashSecret(deps, caller, request.options, password);
    secrets.push(secret);
    users.push({ name, secret: secret.id });
  }
  return { users, secrets };
}

/** null: everybody. */
export function accessOf(site: SiteRecord, request: SetSiteRequest, added: NewUsers): SiteAuth | null {
  const refuse = (why: string): never => {
    throw new AegirError('failed_precondition', `cannot change who may see ${site.name}: ${why}`);
  };
  const realm = request.authRealm;
  if (realm !== undefined && realm !== '' && !isRealm(realm)) {
    invalid(
      `cannot use ${JSON.stringify(realm)} as realm: 1 to 100 letters, digits, spaces and .,:()_'!@+- are needed`,
    );
  }
  const removed = new Set(request.removeAuthUsers);
  if (request.openToAll) {
    if (added.users.length > 0 || removed.size > 0 || realm !== undefined) {
      refuse('to open it to everybody, say only that');
    }
    return null;
  }
  const before = site.auth?.users ?? [];
  for (const name of removed) {
    if (before.some((user) => user.name === name)) continue;
    throw new AegirError('not_found', `cannot take ${name} from the users of ${site.name}: it is none of them`);
  }
  const replaced = new Set(added.users.map((user) => user.name));
  const users = [...before.filter(({ name }) => !removed.has(name) && !replaced.has(name)), ...added.users];
  if (users.length > MOST_AUTH_USERS) refuse(`${MOST_AUTH_USERS} users are the most`);
  if (users.length === 0) {
    if (site.auth !== null)
      refuse(`nobody would be left; to open it to everybody: aegir site set ${site.name} --no-auth`);
    if (realm !== undefined)
      refuse(`it asks nobody for a password; add a user: aegir site set ${site.name} --auth-user NAME`);
    return null;
  }
  const shown = realm === undefined ? site.auth?.realm : realm;
  return { realm: shown === undefined || shown === '' ? DEFAULT_REALM : shown, users };
}

/** Only administrators: such lines may lead visitors anywhere. Both answers are audited, but for a mere plan. */
export async function requireSnippetRight(deps: AdminDeps, caller: Caller, request: SetSiteRequest): Promise<void> {
  if (request.webSnippet === undefined) return;
  const allowed = caller.role === 'admin';
  if (allowed && request.options?.planOnly === true) return;
  await audit(deps, caller, 'site.set web-snippet', request.site, allowed ? 'ok' : 'permission_denied');
  if (allowed) return;
  throw new AegirError(
    'permission_denied',
    `cannot change the snippet of ${request.site}: that takes role admin, and you have ${caller.role}; ask an administrator`,
  );
}

/** For the engine of the web servers that serve it now. null: none. */
export function snippetOf(graph: Graph, site: SiteRecord, request: SetSiteRequest): SiteSnippet | null {
  const { webSnippet } = request;
  if (webSnippet === undefined) return site.snippet;
  if (webSnippet === '') return null;
  const engines = new Set(graph.webServersOf(graph.service(site.bindings.http)).map((service) => service.engine));
  const [engine, ...others] = engines;
  if (engine === undefined || others.length > 0) {
    throw new AegirError(
      'failed_precondition',
      `cannot give ${site.name} a snippet: it is served by ${engines.size === 0 ? 'no web server yet' : [...engines].join(' and ')}, ` +
        `and a snippet is in the words of one`,
    );
  }
  return { engine, text: checkedSnippet(engine, webSnippet) };
}
