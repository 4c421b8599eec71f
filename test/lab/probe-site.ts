// A site whose one page tries what it is asked to, and says how it went: what code of a site can reach.
import { mustIn } from '../../deploy/lab/lab.ts';
import { aegirJson, createVisitor, WEB1 } from './fleet.ts';

/** index.php of the app php. Answers one line. */
export const PROBE_PAGE = `<?php
error_reporting(0);
mysqli_report(MYSQLI_REPORT_OFF);
$what = $_GET['what'] ?? '';
$with = $_GET['with'] ?? '';
$refused = static fn ($ok, $yes) => $ok ? $yes : 'refused';
if ($what === 'whoami') echo posix_getpwuid(posix_geteuid())['name'];
elseif ($what === 'read') {
  $text = is_dir($with) ? (($names = scandir($with)) === false ? false : implode(' ', $names)) : file_get_contents($with);
  echo $refused($text !== false, 'read ' . strlen((string) $text));
}
elseif ($what === 'write') echo $refused(file_put_contents($with, 'x') !== false, 'written');
elseif ($what === 'socket') echo $refused(stream_socket_client('unix://' . $with) !== false, 'connected');
elseif ($what === 'database') echo $refused(mysqli_connect(AEGIR_DB_HOST, AEGIR_DB_USER, AEGIR_DB_PASSWORD, $with, (int) AEGIR_DB_PORT) !== false, 'connected');
else echo 'probe';
`;

export interface Site {
  readonly name: string;
  /** The part of its id that names its things on the host. */
  readonly id: string;
  readonly user: string;
  readonly dir: string;
  readonly socket: string;
  readonly database: string;
  readonly databaseUser: string;
  ask(what: string, argument?: string): string;
}

export async function siteOf(name: string): Promise<Site> {
  const { id: whole } = await aegirJson<{ id: string }>('site', 'show', name);
  const id = whole.replace(/^site-/, '');
  const socket = await mustIn(WEB1.name, ['sh', '-c', `grep -rhoE 'listen = \\S*${id}\\S*' /etc/php | cut -d' ' -f3`]);
  return {
    name,
    id,
    user: `aegir-${id}`,
    dir: `/var/aegir/sites/site-${id}`,
    socket,
    database: `site_${id}`,
    databaseUser: `s_${id}`,
    ask: (what, argument = '') => {
      const visitor = createVisitor();
      const page = visitor.get(`http://${name}/?what=${what}&with=${encodeURIComponent(argument)}`);
      visitor.close();
      if (page.status !== 200) throw new Error(`${name}: ${what} ${argument}: status ${page.status}: ${page.body}`);
      return page.body;
    },
  };
}
