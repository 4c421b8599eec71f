// The slot from which a follower goes on, made together with the snapshot that a dump is of: every change is in the dump or
// comes after the slot's beginning, and none is in both. No SQL gives such a snapshot, but a connection for replication.
import { randomBytes } from 'node:crypto';
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import { psql } from '../../../host/postgresql-reload.ts';
import type { ActionContext } from '../../engine.ts';
import { namesOf } from '../site-names.ts';
import type { Access } from './access.ts';
import { failure } from './client.ts';
import { lookAtStructure, publish, slotsOf } from './lead.ts';
import { dropSlots } from './sql.ts';

/** It begins when whoever writes anywhere on the server has ended: not as long as somebody's work of an hour. */
const LOCK = '30s';
const TIMEOUT_MS = 120_000;

export interface Slot {
  readonly name: string;
  readonly snapshot: string;
  /** The snapshot is taken, or no longer wanted. Never throws. */
  release(): Promise<void>;
}

/**
 * undefined when nobody is to follow the database, somebody does already, or it cannot be had, which is logged. A slot that
 * nobody follows is of a dump that did not end: it is dropped. Another one has another name, so that whoever goes by the
 * former finds nothing instead of less.
 */
export async function openSlot(access: Access, spec: DbSpec, ctx: ActionContext): Promise<Slot | undefined> {
  const { client } = access;
  const { siteId, database } = spec;
  const doing = `let another server follow the dump of database ${database}`;
  try {
    if (!(await lookAtStructure(client, spec, doing, ctx)).published) return undefined;
    const slots = await slotsOf(client, siteId, doing, ctx);
    if (slots.some(({ active }) => active)) return undefined;
    const { follower } = namesOf(siteId);
    if (slots.length > 0) await client.query(dropSlots(follower), doing, { signal: ctx.signal });
    // Those that came since; then the structure is looked at, so that a change from here on is seen.
    await publish(client, spec, doing, ctx);
    const { stamp, unpublished } = await lookAtStructure(client, spec, doing, ctx);
    if (unpublished > 0) {
      ctx.log('warn', `database ${database} cannot be followed from this dump: its tables are being changed`);
      return undefined;
    }
    ctx.failpoint('agent.db.structure-read');
    return await makeSlot(access, spec, `${follower}_${stamp}_${randomBytes(4).toString('hex')}`, doing, ctx);
  } catch (thrown) {
    ctx.signal.throwIfAborted();
    ctx.log('warn', `database ${database} cannot be followed from this dump: ${(thrown as Error).message}`);
    return undefined;
  }
}

async function makeSlot(access: Access, { database }: DbSpec, name: string, doing: string, ctx: ActionContext) {
  const { daemon } = access;
  const late = new AbortController();
  let release = (): void => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const said = ctx.host.stream({
    argv: forReplication(psql(daemon, database), database),
    user: daemon.user,
    input: (async function* () {
      yield Buffer.from(`CREATE_REPLICATION_SLOT "${name}" LOGICAL pgoutput (SNAPSHOT 'export');\n`);
      // The snapshot is there as long as the connection.
      await released;
    })(),
    signal: AbortSignal.any([ctx.signal, late.signal]),
    failed: ({ code, stderr }) => failure(code, stderr, doing, daemon, ctx.host),
  });
  const lines = said[Symbol.asyncIterator]();
  const close = async (): Promise<void> => {
    release();
    try {
      while ((await lines.next()).done !== true);
    } catch (thrown) {
      ctx.log('debug', `the connection of slot ${name} ended: ${(thrown as Error).message}`);
    }
  };
  const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
  try {
    const { value } = await lines.next();
    const [, , snapshot] = Buffer.from(value ?? '')
      .toString()
      .trim()
      .split('|');
    if (snapshot === undefined || !/^[0-9A-F]+-[0-9A-F]+-[0-9]+$/.test(snapshot)) {
      throw failure(1, '', doing, daemon, ctx.host);
    }
    ctx.failpoint('agent.db.slot-made');
    return { name, snapshot, release: close };
  } catch (thrown) {
    await close();
    throw thrown;
  } finally {
    clearTimeout(timer);
  }
}

function forReplication(argv: [string, ...string[]], database: string): [string, ...string[]] {
  const [program, ...rest] = argv;
  return [
    program,
    ...rest.filter((each) => !each.startsWith('--dbname=')),
    `--dbname=dbname=${database} replication=database options='-c statement_timeout=0 -c lock_timeout=${LOCK}'`,
  ];
}
