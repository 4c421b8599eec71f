// Looks into a site's own database and empties it, by PHP as the site's user with the site's own credentials.
import { AegirError } from '../../shared/error.ts';
import type { DbConnection, SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { ActionContext } from '../engine/engine.ts';
import type { SiteLayout } from '../host/site-layout.ts';
import { runPhp } from './php-cli.ts';

const CONNECT = `mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
  $db = mysqli_init();
  $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 10);
  $db->real_connect($in['socket'] === '' ? $in['host'] : 'localhost', $in['user'], $in['password'], $in['database'], $in['port'] ?: null, $in['socket'] ?: null);
  $db->set_charset('utf8mb4');
} catch (mysqli_sql_exception $e) { answer(['error' => $e->getCode()]); exit(0); }
`;

const TABLES = `${CONNECT}$tables = array_column($db->query('SHOW FULL TABLES')->fetch_all(), 0);
$marker = null;
if ($in['markerTable'] !== '' && in_array($in['markerTable'], $tables, true)) {
  $ask = $db->prepare($in['markerSql']);
  $ask->execute();
  $row = $ask->get_result()->fetch_row();
  $marker = $row === null ? null : $row[0];
}
answer(['tables' => $tables, 'marker' => $marker]);`;

const EMPTY = `${CONNECT}$db->query('SET FOREIGN_KEY_CHECKS = 0');
foreach ($db->query('SHOW FULL TABLES')->fetch_all() as [$name, $type]) {
  $db->query(($type === 'VIEW' ? 'DROP VIEW ' : 'DROP TABLE ') . '\`' . str_replace('\`', '\`\`', $name) . '\`');
}
answer(['tables' => []]);`;

export interface DatabaseContents {
  readonly tables: readonly string[];
  /** What the marker query answered; null for none. */
  readonly marker: string | null;
}

export interface Marker {
  /** Asked only when this table is there. */
  readonly table: string;
  /** One value. Constant text: nothing from outside stands in it. */
  readonly sql: string;
}

export function connectionOf(site: SiteSpec): DbConnection {
  if (site.db !== undefined && site.db.driver === 'mysql') return site.db;
  throw new AegirError(
    'failed_precondition',
    `cannot reach the database of ${site.name}: a MariaDB or MySQL service is needed`,
  );
}

export async function databaseContents(
  site: SiteSpec,
  marker: Marker,
  layout: SiteLayout,
  ctx: ActionContext,
): Promise<DatabaseContents> {
  const input = { ...connectionOf(site), markerTable: marker.table, markerSql: marker.sql };
  const found = (await runPhp(
    TABLES,
    input,
    layout,
    `look at the database of ${site.name}`,
    ctx,
  )) as Partial<DatabaseContents> & { error?: number };
  if (found.error !== undefined) throw unreachable(site, found.error);
  return { tables: found.tables ?? [], marker: found.marker ?? null };
}

/** Drops every table and view: the database is the site's own. */
export async function emptyDatabase(site: SiteSpec, layout: SiteLayout, ctx: ActionContext): Promise<void> {
  const done = (await runPhp(EMPTY, connectionOf(site), layout, `empty the database of ${site.name}`, ctx)) as {
    error?: number;
  };
  if (done.error !== undefined) throw unreachable(site, done.error);
}

function unreachable(site: SiteSpec, code: number): AegirError {
  const { host, port, socket } = connectionOf(site);
  const where = socket === '' ? `${host}:${port}` : socket;
  if (code === 1045 || code === 1044 || code === 1130) {
    return new AegirError(
      'permission_denied',
      `cannot use the database of ${site.name} at ${where}: it does not let the web server in (error ${code}); verify the site`,
    );
  }
  return new AegirError(
    'unavailable',
    `cannot reach the database of ${site.name} at ${where}: error ${code}; look whether MariaDB runs there and the network lets port ${port || 'of the socket'} through`,
  );
}
