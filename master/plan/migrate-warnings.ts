// What a person should know of a move before it begins: sizes, waits, how long visitors are held.
import { byteSize } from '../../shared/byte-size.ts';
import { displayName } from '../../shared/name.ts';
import { asOf } from './backup-steps.ts';
import { lowerSteps, mostQuiet } from './migrate-dns.ts';
import type { MigrateOptions } from './migrate-site.ts';
import { type Move, recordSets, serverOf, spanOf } from './move-steps.ts';

/** What a hold costs, about: a dump and a restore of the database, and a look at all files. */
const DATABASE_BYTES_PER_SECOND = 20_000_000;
/** As the agent bounds it: see set-gate there. */
const MOST_BY_APACHE = 100;

export function warningsOf(
  move: Move,
  options: MigrateOptions,
  is: {
    readonly live: boolean;
    readonly host: boolean;
    readonly db: boolean;
    readonly replicate: boolean;
    readonly upgrade: boolean;
  },
): readonly string[] {
  const lines: string[] = [];
  if (is.host) lines.push(sizesOf(move, options, is.db));
  const { from, to } = move;
  if (is.host && to.db !== '' && serverOf(move, to.db) === serverOf(move, from.http)) {
    const [left, there] = [serverOf(move, from.http), serverOf(move, to.http)].map((id) => move.graph.server(id).name);
    lines.push(
      `Its database stays on ${left}, which it leaves: ${there} reaches it over the network; --db SERVER/${move.graph.service(to.db).engine} moves it, too.`,
    );
  }
  if (is.live) {
    const seconds = 2 + Math.ceil(is.db ? (options.databaseBytes ?? 0) / DATABASE_BYTES_PER_SECOND : 0);
    const copy = is.db && options.databaseBytes === null ? ', and what a copy of its database takes' : '';
    const how = is.replicate ? ' (less where the database can be followed)' : '';
    // It holds them also when the site moves to another platform of the same server.
    const few = move.graph.service(move.from.http).engine === 'apache';
    lines.push(
      `Visitors wait for about ${seconds} s${copy}${how}, ${options.maxHoldMillis / 1000} s at most; ${few ? `no request fails while no more than ${MOST_BY_APACHE} wait: Apache keeps a thread for each, and who comes then gets a page (503) that asks to come again` : 'no request fails'}.`,
    );
    if (options.pastHold === 'maintenance')
      lines.push('Past that they get a maintenance page (503) until the site is there.');
  }
  const waits = lowerSteps(move).filter(({ kind }) => kind === 'move.wait');
  if (is.live && is.host && !options.skipLead)
    for (const step of waits)
      if (step.kind === 'move.wait')
        lines.push(
          `It waits ${spanOf(step.args.seconds)} first, until answers with the old TTL have ended; --skip-lead does not.`,
        );
  if (is.live && is.host)
    lines.push(
      `At its end it waits until nobody has come to ${move.graph.server(serverOf(move, from.http)).name} for ${spanOf(options.quietSeconds)} (--quiet), ${spanOf(mostQuiet(options.quietSeconds))} at most: nothing else can be done with the site until then.`,
    );
  if (is.host && recordSets(move, move.to, 'normal').length === 0)
    lines.push(
      'No dns service is bound: point the names at the new server yourself; the old one hands visitors on meanwhile.',
    );
  const byHand = recordSets(move, move.to, 'normal').filter(({ service }) => service.engine === 'null');
  const names = [...new Set(byHand.flatMap((set) => set.names.map(displayName)))].join(', ');
  if (is.host && !options.dnsWait)
    lines.push(
      'It does not wait until DNS leads there (--no-dns-wait): when the old server takes its copy away, whoever still comes to it finds nothing.',
    );
  else if (is.host && names !== '')
    lines.push(
      `You set the DNS records of ${names} yourself, and it waits until look-ups show that, for as long as that takes; --no-dns-wait does not, and aegir task skip-wait ends that wait.`,
    );
  const { last } = options;
  lines.push(
    last === null
      ? 'No backup is made of it before; --backup SERVER/ENGINE makes one, and so does a policy that names a store.'
      : `Backup ${last.id} on ${move.graph.serviceName(last.store)} keeps what it is before anything moves; when it cannot be made the site stays; --no-backup leaves it out.`,
  );
  if (is.upgrade) lines.push('The platform has another version: the database is brought to it.');
  return lines;
}

function sizesOf(move: Move, { fileBytes, databaseBytes, knownAt }: MigrateOptions, db: boolean): string {
  const size = (bytes: number | null) => (bytes === null ? 'not measured yet' : `about ${byteSize(bytes)}`);
  const sizes = `Files ${size(fileBytes)}${move.from.db === '' ? '' : `, database ${size(databaseBytes)}`}`;
  const sent =
    fileBytes === null || (db && databaseBytes === null) ? null : fileBytes + (db ? (databaseBytes ?? 0) : 0);
  return (
    `${sizes}${asOf(knownAt)}; ` +
    (sent === null
      ? 'how much goes over the mesh is not known yet: servers measure their sites every 6 hours.'
      : `that, about ${byteSize(sent)}, and what came since goes over the mesh, less what is there already.`)
  );
}
