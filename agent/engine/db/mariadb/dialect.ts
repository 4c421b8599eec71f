// What MariaDB and MySQL say differently: accounts, their passwords, where they listen. All else is the same for both.
import { accountDrift } from './drift.ts';
import { alterAccount, createAccount, dropAccount, nativeHash, selectAccounts } from './sql.ts';

export interface Dialect {
  /** Of the engine and its daemon. */
  readonly name: 'mariadb' | 'mysql';
  readonly label: 'MariaDB' | 'MySQL';
  /** Debian's, or the vendor's. */
  readonly serverPackage: string;
  /** The plugin that lets root in by the socket. */
  readonly socketPlugin: string;
  /** Section of its configuration files, and a name for ours that is read after the package's own. */
  readonly section: string;
  readonly listenFile: string;
  /** End of maintenance by series. */
  readonly endOfLife: Readonly<Record<string, string>>;
  /** A row for each account of the user: host, properties as accountDrift reads them. */
  selectAccounts(user: string): string;
  /** Reasons to set the account anew, in words; empty when it is as wanted. */
  accountDrift(properties: string, password: string, locked: boolean): readonly string[];
  /** Whatever the account had before is gone. */
  createAccount(user: string, host: string, password: string, locked: boolean): string;
  /** In place, so that connections that are made meanwhile find it with all its rights. */
  alterAccount(user: string, host: string, password: string, locked: boolean): string;
  dropAccount(user: string, host: string): string;
  /** Answers statements that end connections of a dropped account, where dropAccount cannot. */
  readonly selectEnding?: (user: string, host: string) => string;
  /** Answers where it listens, and whether somebody has accounts for host names, which only look-ups can match. */
  readonly look: string;
  readonly dump: {
    readonly program: string;
    /** Debian's, or the vendor's. */
    readonly package: string;
    readonly arguments: readonly string[];
    /** Has it tell where the binary log was, without holding others up; empty when it cannot. */
    readonly position: readonly string[];
  };
  /** What of a session may be set otherwise for all and must not matter to a restore. */
  readonly restoreSession: string;
}

/** localhost is a name too: by TCP an account for it matches 127.0.0.1 by look-up, unless it logs in by socket or not at all. */
export const LOOK = `SELECT @@bind_address, EXISTS(SELECT 1 FROM mysql.global_priv
WHERE host REGEXP '[g-z]|[a-f].*[.]|[.].*[a-f]' AND user NOT REGEXP '^[sd]_[0-9a-z]{16}$'
AND NOT (host = 'localhost' AND (priv LIKE '%unix_socket%' OR COALESCE(JSON_VALUE(priv, '$.account_locked'), 0))));`;

export const MARIADB: Dialect = {
  name: 'mariadb',
  label: 'MariaDB',
  serverPackage: 'mariadb-server',
  socketPlugin: 'unix_socket',
  section: 'mariadbd',
  listenFile: '90-aegir.cnf',
  // mariadb.org/about/#maintenance-policy, read in 2026.
  endOfLife: {
    '10.5': '2025-06-24',
    '10.6': '2026-07-06',
    '10.11': '2028-02-16',
    '11.4': '2029-05-29',
    '11.8': '2030-06-04',
  },
  selectAccounts,
  accountDrift,
  createAccount: (user, host, password, locked) => createAccount(user, host, nativeHash(password), locked),
  alterAccount: (user, host, password, locked) => alterAccount(user, host, nativeHash(password), locked),
  dropAccount,
  look: LOOK,
  dump: {
    program: 'mariadb-dump',
    package: 'mariadb-client',
    // Those that only newer ones have are passed over by older ones.
    arguments: ['--loose-dump-history', '--max-statement-time=0'],
    position: ['--master-data=2'],
  },
  // Rows that were let in by an older server are let in again.
  restoreSession: 'SET SESSION max_statement_time = 0, innodb_strict_mode = 0',
};
