// What a plan was decided on, of each thing that it locks: read when a task is asked for and again when it begins, since the
// tasks that it waited for may have changed just that. A plan that is carried out on another basis harms what is there now.
import { createHash } from 'node:crypto';
import { displayName } from '../../shared/name.ts';
import type { Basis, Plan } from '../plan/plan.ts';
import type { SiteRecord } from '../store/model.ts';
import type { Tx } from '../store/store.ts';

/** How a site is served is in the arguments of these. */
const SETS: ReadonlySet<Plan['verb']> = new Set(['site.set', 'site.certify']);
/** A copy of what there is, shown to visitors or not. */
const COPIES: ReadonlySet<Plan['verb']> = new Set(['site.backup']);

const GONE = 'gone';

type Told = Readonly<Record<string, string>>;

export async function readBasis(tx: Tx, { verb, locks }: Pick<Plan, 'verb' | 'locks'>): Promise<Basis> {
  const basis: Record<string, Told> = {};
  for (const lock of locks) {
    const [kind = '', id = ''] = lock.split('/', 2);
    const parts = await readParts(tx, verb, kind, id);
    if (parts !== undefined) basis[lock] = parts;
  }
  return basis;
}

/** Sentences about what is not any more as it was, for people; none where it is. */
export async function changedSince(tx: Tx, plan: Plan): Promise<readonly string[]> {
  // Of a task from before there was any.
  if (plan.basis === undefined) return [];
  const now = await readBasis(tx, plan);
  const changed: string[] = [];
  for (const [lock, before] of Object.entries(plan.basis)) {
    const after = now[lock] ?? {};
    const parts = Object.keys(before).filter((part) => before[part] !== after[part]);
    if (parts.length > 0) changed.push(await told(tx, lock, parts, after));
  }
  return changed;
}

async function readParts(tx: Tx, verb: Plan['verb'], kind: string, id: string): Promise<Told | undefined> {
  if (kind === 'site') {
    const site = await tx.sites.get(id);
    return site === undefined ? { state: GONE } : siteParts(tx, verb, site);
  }
  if (kind === 'zone') {
    const zone = await tx.zones.get(id);
    if (zone === undefined) return { state: GONE };
    const { id: _, state, createdAt: __, ...values } = zone;
    return {
      state: state === 'deleting' ? state : 'there',
      ...(verb === 'zone.set' ? { values: digest(values) } : {}),
    };
  }
  if (kind === 'service') {
    const service = await tx.services.get(id);
    if (service === undefined) return { state: GONE };
    return verb === 'service.set' ? { values: digest([service.settings, service.secrets]) } : { state: 'there' };
  }
  return undefined;
}

async function siteParts(tx: Tx, verb: Plan['verb'], site: SiteRecord): Promise<Told> {
  const { state, platformId, bindings, moving, dnsByHand, aliases, web, cronSeconds, auth, snippet, spread } = site;
  const heads = await tx.heads.find({ clusterId: bindings.http });
  const serving = heads.filter((head) => head.state !== 'leaving').map(({ serviceId }) => serviceId);
  const shown = state === 'disabled' || state === 'deleting' ? state : 'served';
  return {
    ...(COPIES.has(verb) ? {} : { state: shown }),
    place: digest([platformId, Object.entries(bindings).sort(), moving, dnsByHand]),
    servers: digest([serving.sort(), spread?.writer]),
    names: digest(aliases),
    ...(SETS.has(verb) ? { values: digest([web, cronSeconds, auth, snippet]) } : {}),
  };
}

async function told(tx: Tx, lock: string, parts: readonly string[], after: Told): Promise<string> {
  const [kind = '', id = ''] = lock.split('/', 2);
  const name = kind === 'site' ? (await tx.sites.get(id))?.name : kind === 'zone' ? (await tx.zones.get(id))?.name : '';
  const what = name === undefined || name === '' ? `${kind} ${id}` : displayName(name);
  if (after['state'] === GONE) return `${what} is not there any more`;
  const words: Record<string, string> = {
    state: after['state'] === 'served' ? 'is on the web now' : `is ${after['state']} now`,
    place: 'is at another place now, or on its way to one',
    servers: 'is on other web servers now',
    names: 'has other names now',
    values: 'has other settings now',
  };
  return `${what} ${parts.map((part) => words[part] ?? part).join(' and ')}`;
}

function digest(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 22);
}
