// Where everything of an embedded server lies. Pure, but for where its sockets go (run-directory.ts).
import { join } from 'node:path';
import type { HostPaths } from '../host.ts';

export interface EmbeddedLayout {
  readonly dir: string;
  readonly paths: HostPaths;
  /** Home of everything that runs. */
  readonly home: string;
  readonly records: string;
  readonly users: string;
  readonly daemonLogs: string;
  readonly temporary: string;
  readonly etc: string;
  readonly data: string;
}

export function embeddedLayout(dir: string, run: string): EmbeddedLayout {
  return {
    dir,
    paths: {
      state: join(dir, 'state'),
      sites: join(dir, 'sites'),
      linkless: join(dir, 'linkless'),
      logs: join(dir, 'logs'),
      run,
      work: join(dir, 'work'),
    },
    home: join(dir, 'home'),
    records: join(dir, 'daemons'),
    users: join(dir, 'users.json'),
    daemonLogs: join(dir, 'daemon-logs'),
    temporary: join(dir, 'tmp'),
    etc: join(dir, 'etc'),
    data: join(dir, 'data'),
  };
}
