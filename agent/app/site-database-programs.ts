// PHP programs that look into a site's database and empty it, one pair for each driver. Constant text: what varies comes as
// $in. Each answers error when it cannot connect: a number of MySQL, or a word.

interface Programs {
  /** Answers tables and marker. */
  readonly look: string;
  readonly empty: string;
}

const MYSQL = `mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
try {
  $db = mysqli_init();
  $db->options(MYSQLI_OPT_CONNECT_TIMEOUT, 10);
  $db->real_connect($in['socket'] === '' ? $in['host'] : 'localhost', $in['user'], $in['password'], $in['database'], $in['port'] ?: null, $in['socket'] ?: null);
  $db->set_charset('utf8mb4');
} catch (mysqli_sql_exception $e) { answer(['error' => $e->getCode()]); exit(0); }
`;

/** Its messages are in the server's language; who it does not let in, the server tells as a fatal error. */
const PGSQL = `if (!class_exists('PDO') || !in_array('pgsql', PDO::getAvailableDrivers(), true)) { answer(['error' => 'driver']); exit(0); }
try {
  $db = new PDO('pgsql:host=' . $in['host'] . ';port=' . $in['port'] . ';dbname=' . $in['database'], $in['user'], $in['password'], [PDO::ATTR_TIMEOUT => 10, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
} catch (PDOException $e) {
  $busy = preg_match('/too many|remaining connection slots|starting up|shutting down/', $e->getMessage());
  answer(['error' => str_contains($e->getMessage(), 'FATAL') && !$busy ? 'refused' : 'down']);
  exit(0);
}
$all = $db->query("SELECT c.relname AS name, c.relkind AS kind, format('%I.%I', n.nspname, c.relname) AS quoted
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid AND deptype = 'e')
  ORDER BY c.oid")->fetchAll(PDO::FETCH_ASSOC);
`;

const PROGRAMS: Readonly<Record<'mysql' | 'pgsql', Programs>> = {
  mysql: {
    look: `${MYSQL}$tables = array_column($db->query('SHOW FULL TABLES')->fetch_all(), 0);
$marker = null;
if ($in['markerTable'] !== '' && in_array($in['markerTable'], $tables, true)) {
  $ask = $db->prepare($in['markerSql']);
  $ask->execute();
  $row = $ask->get_result()->fetch_row();
  $marker = $row === null ? null : $row[0];
}
answer(['tables' => $tables, 'marker' => $marker]);`,
    empty: `${MYSQL}$db->query('SET FOREIGN_KEY_CHECKS = 0');
foreach ($db->query('SHOW FULL TABLES')->fetch_all() as [$name, $type]) {
  $db->query(($type === 'VIEW' ? 'DROP VIEW ' : 'DROP TABLE ') . '\`' . str_replace('\`', '\`\`', $name) . '\`');
}
answer(['tables' => []]);`,
  },
  pgsql: {
    // A bytea is a stream to PDO.
    look: `${PGSQL}$tables = [];
foreach ($all as $one) if ($one['kind'] !== 'S') $tables[] = $one['name'];
$marker = null;
if ($in['markerTable'] !== '' && in_array($in['markerTable'], $tables, true)) {
  $found = $db->query($in['markerSql'])->fetchColumn();
  if (is_resource($found)) $found = stream_get_contents($found);
  $marker = $found === false ? null : $found;
}
answer(['tables' => $tables, 'marker' => $marker]);`,
    // What hangs on one goes with it; what an extension brought stays.
    empty: `${PGSQL}$kinds = ['r' => 'TABLE', 'p' => 'TABLE', 'v' => 'VIEW', 'm' => 'MATERIALIZED VIEW', 'f' => 'FOREIGN TABLE', 'S' => 'SEQUENCE'];
$db->exec('SET client_min_messages = warning');
$db->beginTransaction();
foreach ($all as $one) $db->exec('DROP ' . $kinds[$one['kind']] . ' IF EXISTS ' . $one['quoted'] . ' CASCADE');
$db->commit();
answer(['tables' => []]);`,
  },
};

export function databasePrograms(driver: string): Programs {
  return driver === 'pgsql' ? PROGRAMS.pgsql : PROGRAMS.mysql;
}
