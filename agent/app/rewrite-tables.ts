// A PHP program that walks through all tables of a site's database, with MySQL and PostgreSQL alike, and rewrites what
// rewrite-text.ts finds. Constant text: what varies comes as $in.
//
// One row is in memory at a time: keys come in pages, in their own order, and each row by its key. It works for a while
// and answers where it stands (next), to be called again with it.
import { REWRITE_TEXT } from './rewrite-text.ts';

const CONNECT = `
$pgsql = $in['db']['driver'] === 'pgsql';
if (!class_exists('PDO') || !in_array($in['db']['driver'], PDO::getAvailableDrivers(), true)) { answer(array('error' => 'driver')); exit(0); }
try {
  $place = $pgsql || $in['db']['socket'] === ''
    ? 'host=' . $in['db']['host'] . ';port=' . $in['db']['port']
    : 'unix_socket=' . $in['db']['socket'];
  $db = new PDO(
    $in['db']['driver'] . ':' . $place . ';dbname=' . $in['db']['database'] . ($pgsql ? '' : ';charset=utf8mb4'),
    $in['db']['user'],
    $in['db']['password'],
    array(PDO::ATTR_TIMEOUT => 10, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_EMULATE_PREPARES => false)
  );
} catch (PDOException $e) {
  if (!$pgsql) { answer(array('error' => (int) $e->getCode())); exit(0); }
  $busy = preg_match('/too many|remaining connection slots|starting up|shutting down/', $e->getMessage());
  answer(array('error' => strpos($e->getMessage(), 'FATAL') !== false && !$busy ? 'refused' : 'down'));
  exit(0);
}
// What does not fit is refused, never cut off.
$db->exec($pgsql ? "SET client_encoding = 'UTF8'" : "SET SESSION sql_mode = 'STRICT_ALL_TABLES'");
`;

/** Each: table, its columns of text, the columns of its primary key. Names are quoted. */
const TABLES = String.raw`
function quoted($name) {
  global $pgsql;
  $mark = $pgsql ? '"' : '${'`'}';
  return $mark . str_replace($mark, $mark . $mark, $name) . $mark;
}
function rows($sql) { global $db; return $db->query($sql)->fetchAll(PDO::FETCH_ASSOC); }

function tables() {
  global $pgsql, $in;
  $columns = rows($pgsql
    ? "SELECT n.nspname AS place, c.relname AS name, a.attname AS col, t.typname AS kind, a.attgenerated <> '' AS made,
         array_position(i.indkey::int2[], a.attnum) AS nth
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
       JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
       LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary
       WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::regclass AND objid = c.oid AND deptype = 'e')
       ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\", a.attnum"
    : "SELECT '' AS place, t.TABLE_NAME AS name, c.COLUMN_NAME AS col, c.DATA_TYPE AS kind, c.EXTRA REGEXP 'VIRTUAL|STORED|PERSISTENT' AS made,
         s.SEQ_IN_INDEX AS nth
       FROM information_schema.TABLES t
       JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME
       LEFT JOIN information_schema.STATISTICS s ON s.TABLE_SCHEMA = c.TABLE_SCHEMA AND s.TABLE_NAME = c.TABLE_NAME
         AND s.COLUMN_NAME = c.COLUMN_NAME AND s.INDEX_NAME = 'PRIMARY'
       WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE'
       ORDER BY CAST(t.TABLE_NAME AS BINARY), c.ORDINAL_POSITION");
  $kinds = $pgsql
    ? array('text', 'varchar', 'bpchar', 'citext', 'json', 'jsonb', 'bytea')
    : array('char', 'varchar', 'tinytext', 'text', 'mediumtext', 'longtext', 'json', 'tinyblob', 'blob', 'mediumblob', 'longblob', 'varbinary');
  $tables = array();
  foreach ($columns as $one) {
    $table = $pgsql ? quoted($one['place']) . '.' . quoted($one['name']) : quoted($one['name']);
    if ($in['leave'] !== '' && preg_match($in['leave'], $one['name'])) continue;
    $tables[$table] = ($tables[$table] ?? array()) + array('name' => $one['name'], 'texts' => array(), 'key' => array());
    if ($one['nth'] !== null) $tables[$table]['key'][(int) $one['nth']] = quoted($one['col']);
    if ($one['made'] || !in_array($one['kind'], $kinds, true)) continue;
    if ($in['leaveColumns'] !== '' && preg_match($in['leaveColumns'], $one['name'] . '.' . $one['col'])) continue;
    $tables[$table]['texts'][quoted($one['col'])] = $one['kind'];
  }
  return $tables;
}

/** Bytes in a table's column, and not characters. */
function binary($kind) { return $kind === 'bytea' || strpos($kind, 'blob') !== false || $kind === 'varbinary'; }

/** The column as text to look for names in. */
function searched($column, $kind) {
  global $pgsql;
  if (!$pgsql) return "CONVERT($column USING utf8mb4) COLLATE utf8mb4_general_ci";
  return $kind === 'bytea' ? "encode($column, 'escape')" : "$column::text";
}

/** The column, exactly, to find and order its values by. */
function exactly($column, $kind) {
  global $pgsql;
  if ($pgsql) return $kind === 'bytea' ? $column : "($column::text COLLATE \"C\")";
  return binary($kind) ? $column : "CAST(CONVERT($column USING utf8mb4) AS BINARY)";
}
`;

const WALK = String.raw`
// As patterns; what may be written in several ways is passed over here, and looked at more closely by the rewriting.
$patterns = array_map(
  fn($word) => '%' . preg_replace(array('/--|[^\x21-\x7e]+/', '/([_!])/'), array('%', '!$1'), $word) . '%',
  array_merge($in['rules']['hosts'], $in['rules']['oldId'] === '' ? array() : array($in['rules']['oldId']))
);

$counts = array('changed' => 0, 'unreadable' => array(), 'refused' => array());
function count_one($kind, $where) {
  global $counts;
  $counts[$kind][$where] = ($counts[$kind][$where] ?? 0) + 1;
}

/** A table with a primary key is one unit; of one without, each column is, with its distinct values for keys. */
function units() {
  foreach (tables() as $table => $one) {
    ksort($one['key']);
    if ($one['texts'] === array()) continue;
    if ($one['key'] !== array()) yield $table => array('table' => $table, 'key' => array_values($one['key']), 'distinct' => false) + $one;
    else foreach ($one['texts'] as $column => $kind) {
      yield $table . '.' . $column => array('table' => $table, 'key' => array(exactly($column, $kind)), 'distinct' => true, 'texts' => array($column => $kind)) + $one;
    }
  }
}

function walk($unit, $after, $end) {
  global $db, $pgsql, $patterns;
  $like = $pgsql ? 'ILIKE' : 'LIKE';
  $finds = array();
  foreach ($unit['texts'] as $column => $kind) foreach ($patterns as $_) $finds[] = searched($column, $kind) . " $like ? ESCAPE '!'";
  $keys = implode(', ', array_map(fn($key) => $pgsql ? "($key)::text" : $key, $unit['key']));
  // Later than the key before, column by column.
  $later = array();
  foreach ($unit['key'] as $nth => $key) {
    $later[] = '(' . implode(' AND ', array_merge(array_map(fn($one) => "$one = ?", array_slice($unit['key'], 0, $nth)), array("$key > ?"))) . ')';
  }
  for (;;) {
    $page = $db->prepare('SELECT ' . $keys . ' FROM ' . $unit['table'] . ' WHERE (' . implode(' OR ', $finds) . ')'
      . ($after === null ? '' : ' AND (' . implode(' OR ', $later) . ')')
      . ($unit['distinct'] ? ' GROUP BY ' . $unit['key'][0] : '')
      . ' ORDER BY ' . implode(', ', $unit['key']) . ' LIMIT ' . ($unit['distinct'] ? 10 : 500));
    $values = array_merge(...array_fill(0, count($unit['texts']), $patterns));
    if ($after !== null) foreach ($unit['key'] as $nth => $_) array_push($values, ...array_slice($after, 0, $nth + 1));
    $page->execute($values);
    $found = $page->fetchAll(PDO::FETCH_NUM);
    if ($found === array()) return null;
    $db->beginTransaction();
    foreach ($found as $after) {
      row($unit, $after);
      $late = microtime(true) > $end;
      if ($late) break;
    }
    $db->commit();
    if ($late) return $after;
  }
}

function row($unit, $key) {
  global $db, $pgsql, $counts;
  $where = ' WHERE ' . implode(' AND ', array_map(fn($one) => "$one = ?", $unit['key']));
  $columns = array_keys($unit['texts']);
  $read = $db->prepare('SELECT ' . implode(', ', array_map(fn($one) => $pgsql ? "$one::text" : $one, $columns)) . ' FROM ' . $unit['table'] . $where . ' LIMIT 1');
  $read->execute($key);
  $old = $read->fetch(PDO::FETCH_NUM);
  $read->closeCursor();
  if ($old === false) return;
  $new = array();
  foreach ($columns as $nth => $column) {
    $text = $old[$nth];
    if ($text === null) continue;
    $kind = $unit['texts'][$column];
    if ($kind === 'bytea') $text = hex2bin(substr($text, 2));
    // Pictures, what is packed, and the like.
    if (binary($kind) && !preg_match('//u', $text)) continue;
    $rewritten = aegir_rewrite($text);
    if ($rewritten === null) count_one('unreadable', $unit['name'] . '.' . trim($column, '"${'`'}'));
    elseif ($rewritten !== $text) $new[$column] = $kind === 'bytea' ? '\x' . bin2hex($rewritten) : $rewritten;
  }
  if ($new === array()) return;
  $db->exec('SAVEPOINT one');
  try {
    $db->prepare('UPDATE ' . $unit['table'] . ' SET ' . implode(', ', array_map(fn($one) => "$one = ?", array_keys($new))) . $where)
      ->execute(array_merge(array_values($new), $key));
    $counts['changed']++;
  } catch (PDOException $e) {
    // Too long for its column, twice where there may be one: that row stays as it is.
    if (!preg_match('/^2[23]/', (string) $e->getCode()) && !in_array($e->errorInfo[1] ?? 0, array(1366, 1406), true)) throw $e;
    $db->exec('ROLLBACK TO SAVEPOINT one');
    count_one('refused', $unit['name'] . '.' . trim(implode(', ', array_keys($new)), '"${'`'}'));
  }
}

$end = microtime(true) + $in['seconds'];
$next = null;
$units = iterator_to_array(units());
$from = $in['next'] === null ? false : array_search($in['next']['unit'], array_keys($units), true);
foreach (array_slice($units, (int) $from) as $name => $unit) {
  $after = $from !== false && $in['next']['unit'] === $name ? array_map('base64_decode', $in['next']['after']) : null;
  $after = walk($unit, $after, $end);
  if ($after !== null) { $next = array('unit' => $name, 'after' => array_map(fn($key) => base64_encode((string) $key), $after)); break; }
}
answer($counts + array('next' => $next));
`;

export const REWRITE_TABLES = `${CONNECT}${REWRITE_TEXT}${TABLES}${WALK}`;
