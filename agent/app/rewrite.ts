// Has a copied site's database say the site's own URL, names and id wherever it says those of the site that it was copied
// from: by PHP as the site's user, in turns that end, so that a large database can be told of and left off.
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../engine/engine.ts';
import type { SiteLayout } from '../host/site-layout.ts';
import type { Origin } from './app.ts';
import { runPhp } from './php-cli.ts';
import { REWRITE_TABLES } from './rewrite-tables.ts';
import { rewriteRules } from './rewrite-text.ts';
import { connectionOf, type Failure, inputFor, unreachable } from './site-database.ts';

const TURN_SECONDS = 60;
/** Names of columns that are told. */
const MOST_TOLD = 5;

/** PCRE with delimiters; empty for nothing. */
export interface LeftAlone {
  /** Names of tables. */
  readonly tables: string;
  /** "table.column". */
  readonly columns: string;
}

interface Turn {
  readonly error?: Failure;
  readonly changed: number;
  /** How many values by "table.column"; PHP's empty array is a list. */
  readonly unreadable: Readonly<Record<string, number>> | readonly [];
  readonly refused: Readonly<Record<string, number>> | readonly [];
  readonly next: { readonly unit: string; readonly after: readonly string[] } | null;
}

/** May be repeated; changes nothing when nothing of the old site is there. Answers how many rows were changed. */
export async function rewriteDatabase(
  site: SiteSpec,
  from: Origin,
  left: LeftAlone,
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<number> {
  const rules = rewriteRules(site, from);
  if (rules === undefined) return 0;
  const input = {
    db: inputFor(connectionOf(site)),
    rules,
    leave: left.tables,
    leaveColumns: left.columns,
    seconds: TURN_SECONDS,
  };
  let changed = 0;
  const seen = { unreadable: new Map<string, number>(), refused: new Map<string, number>() };
  for (let next: Turn['next'] = null, first = true; first || next !== null; first = false) {
    ctx.signal.throwIfAborted();
    const doing = `rewrite the database of ${site.name}`;
    const turn = (await runPhp(REWRITE_TABLES, { ...input, next }, layout, doing, ctx)) as Turn;
    if (turn.error !== undefined) throw unreachable(site, turn.error);
    changed += turn.changed;
    for (const kind of ['unreadable', 'refused'] as const) {
      for (const [where, count] of Object.entries(turn[kind])) {
        seen[kind].set(where, (seen[kind].get(where) ?? 0) + count);
      }
    }
    next = turn.next;
    if (next !== null) ctx.progress(0, `${changed} rows rewritten, at ${next.unit}`);
  }
  warn(seen.unreadable, 'they look like what PHP serialised, and cannot be read', ctx);
  warn(seen.refused, 'the database takes no other value there', ctx);
  ctx.log('info', `${changed} rows said the old site; they say ${site.url} now`);
  return changed;
}

function warn(seen: ReadonlyMap<string, number>, why: string, ctx: ActionContext): void {
  if (seen.size === 0) return;
  const total = [...seen.values()].reduce((one, other) => one + other, 0);
  const places = [...seen.keys()].slice(0, MOST_TOLD).join(', ');
  const more = seen.size > MOST_TOLD ? ` and ${seen.size - MOST_TOLD} more` : '';
  ctx.log('warn', `${total} values still say the old site, in ${places}${more}: ${why}; look at them by hand`);
}
