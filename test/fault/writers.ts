// Visitors who write to a site by both of its web servers at once while it moves, and learn which database took each word:
// they show what was lost, and that no database took anything once the other one had.
import { cpSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';

const EVERY_MS = 400;
const TIMEOUT_MS = 100_000;
/** Of no server: who comes from one of theirs may be one of them. */
const FROM = '127.0.9.9';
/** A page of WordPress that its rules let through, and that nothing here needs. */
const PAGE = 'wp-links-opml.php';
const TABLE = 'visits';

/** Of Debian's WordPress, with a page that takes a word and answers the port of the database that has it. */
export function writableCode(below: string, name = 'writable-code'): string {
  const root = join(below, name);
  cpSync('/usr/share/wordpress', root, { recursive: true, dereference: true });
  writeFileSync(
    join(root, PAGE),
    `<?php
define('SHORTINIT', true);
require __DIR__ . '/wp-load.php';
global $wpdb;
$wpdb->suppress_errors();
$port = $wpdb->get_var('SELECT @@port');
$done = $wpdb->query($wpdb->prepare('INSERT INTO ${TABLE} VALUES (%d, %d)', $_GET['n'], $port));
if ($done !== 1) http_response_code(500);
echo $done === 1 ? "took $port" : 'took nothing';
`,
    { mode: 0o644 },
  );
  return root;
}

/** What the database of the site needs for it. */
export const WORDS_TABLE = `${TABLE} (n INT PRIMARY KEY, port INT)`;

interface Word {
  readonly n: number;
  /** Of the database that took it. */
  readonly port: number;
  readonly began: number;
  readonly ended: number;
}

export interface Writers {
  /** Words that the site said it took, so far. */
  readonly taken: readonly Word[];
  /** Resolves when all have their answer, or none. */
  stop(): Promise<void>;
}

/** addresses: of the web servers; first: number of the first word. */
export function startWriters(site: string, port: number, addresses: readonly string[], first: number): Writers {
  const taken: Word[] = [];
  const open = new Set<Promise<void>>();
  let next = first;
  const write = async (address: string): Promise<void> => {
    const n = next++;
    const began = performance.now();
    const answer = await ask(address, site, port, `/${PAGE}?n=${n}`);
    const by = /^took (\d+)$/.exec(answer)?.[1];
    if (by !== undefined) taken.push({ n, port: Number(by), began, ended: performance.now() });
  };
  const timer = setInterval(() => {
    for (const address of addresses) {
      const one: Promise<void> = write(address).finally(() => open.delete(one));
      open.add(one);
    }
  }, EVERY_MS);
  return {
    taken,
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
    },
  };
}

/** Words that a database took after another one had taken one that came later: both could be written. */
export function bothWritable(taken: readonly Word[]): readonly string[] {
  const ports = [...new Set(taken.map(({ port }) => port))];
  if (ports.length < 2) return [];
  if (ports.length > 2) return [`${ports.length} databases took words`];
  const span = (port: number) => {
    const own = taken.filter((word) => word.port === port);
    return { port, own, from: Math.min(...own.map(({ ended }) => ended)) };
  };
  const [one, other] = ports.map(span).toSorted((a, b) => a.from - b.from);
  if (one === undefined || other === undefined) return [];
  // That which was asked for after the other had taken its first.
  return one.own
    .filter(({ began }) => began > other.from)
    .map(({ n }) => `database ${one.port} took word ${n} after database ${other.port} had taken one`);
}

/** Empty when there was no answer. */
function ask(host: string, site: string, port: number, path: string): Promise<string> {
  return new Promise((resolve) => {
    const sent = request(
      {
        host,
        port,
        path,
        method: 'POST',
        agent: false,
        timeout: TIMEOUT_MS,
        localAddress: FROM,
        headers: { host: `${site}:${port}` },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (part: Buffer) => parts.push(part));
        answer.on('error', () => resolve(''));
        answer.on('end', () => resolve(answer.statusCode === 200 ? Buffer.concat(parts).toString() : ''));
      },
    );
    sent.on('timeout', () => sent.destroy());
    sent.on('error', () => resolve(''));
    sent.end();
  });
}
