// A site whose one page tries what it is asked to, and says how it went: what code of a site can reach.
import type { LabHost } from '../../deploy/lab/lab.ts';
import type { Fleet } from './fleet.ts';
import { visit } from './visitor.ts';

/** index.php of the app php. Answers one line; cat and ls run as processes of their own, past open_basedir. */
export const PROBE_PAGE = `<?php
error_reporting(0);
mysqli_report(MYSQLI_REPORT_OFF);
$what = $_GET['what'] ?? '';
$with = $_GET['with'] ?? '';
$answer = static fn ($value) => $value === false ? 'refused' : 'yes ' . $value;
$run = static function (array $argv) {
  $process = proc_open($argv, [1 => ['pipe', 'w'], 2 => ['pipe', 'w']], $pipes);
  if ($process === false) return false;
  $text = stream_get_contents($pipes[1]);
  return proc_close($process) === 0 ? $text : false;
};
$connect = static fn ($database) => mysqli_connect(AEGIR_DB_HOST, AEGIR_DB_USER, AEGIR_DB_PASSWORD, $database, (int) AEGIR_DB_PORT);
echo match ($what) {
  'whoami' => posix_getpwuid(posix_geteuid())['name'],
  'credentials' => AEGIR_DB_USER . ' ' . AEGIR_DB_PASSWORD,
  'read' => $answer(file_get_contents($with)),
  'list' => $answer(is_array($names = scandir($with)) ? implode(' ', $names) : false),
  'write' => $answer(file_put_contents($with, 'x')),
  'link' => $answer(symlink($with, $_GET['at'] ?? '') ? 'linked' : false),
  'temporary' => $answer(tempnam(sys_get_temp_dir(), 'probe')),
  'cat' => $answer($run(['cat', '--', $with])),
  'ls' => $answer($run(['ls', '-A', '--', $with])),
  'socket' => $answer(stream_socket_client('unix://' . $with) === false ? false : 'connected'),
  'kill' => $answer(posix_kill((int) $with, 0) ? 'could' : false),
  'database' => $answer($connect($with) === false ? false : 'connected'),
  'databases' => $answer(implode(' ', array_column($connect(null)->query('SHOW DATABASES')->fetch_all(), 0))),
  default => 'probe',
};
`;

export interface Site {
  readonly name: string;
  /** The part of its id that names its things on the host. */
  readonly id: string;
  readonly user: string;
  readonly dir: string;
  readonly logs: string;
  readonly socket: string;
  readonly database: string;
  /** Has its page try something; "refused", or "yes …", or the answer itself. */
  ask(what: string, argument?: string, more?: string): Promise<string>;
}

export async function siteOf(fleet: Fleet, web: LabHost, name: string): Promise<Site> {
  const { id: whole } = await fleet.json<{ id: string }>('site', 'show', name);
  const id = whole.replace(/^site-/, '');
  const pool = await fleet.lab.must(web.name, ['sh', '-c', `cat /etc/php/*/fpm/pool.d/*${id}*`]);
  const socket = /^listen = "(.*)"$/m.exec(pool)?.[1];
  if (socket === undefined) throw new Error(`${name}: its pool tells no socket: ${pool}`);
  return {
    name,
    id,
    user: `aegir-${id}`,
    dir: `/var/aegir/sites/site-${id}`,
    logs: `/var/log/aegir/site-${id}`,
    socket,
    database: `site_${id}`,
    ask: async (what, argument = '', more = '') => {
      const page = await visit(web, `http://${name}/?what=${what}&with=${encodeURIComponent(argument)}${more}`);
      if (page.status !== 200) throw new Error(`${name}: ${what} ${argument}: status ${page.status}: ${page.body}`);
      return page.body;
    },
  };
}
