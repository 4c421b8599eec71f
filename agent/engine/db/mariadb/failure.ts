// Errors of MariaDB and MySQL and of their programs, for people. What they say may quote SQL: it is not passed on.
import { AegirError, type ErrorCode } from '../../../../shared/error.ts';
import type { Daemon, Host } from '../../../host/host.ts';
import type { Dialect } from './dialect.ts';

export interface Known {
  readonly code: ErrorCode;
  readonly text: string;
}

/** "ERROR 1064 (42000)", "Got error: 2002:", "Error 1412:", "… (1356)". */
const NUMBER = /ERROR (\d+)|[Ee]rror:? (\d+)|\((\d{4})\)/;

/** By the server's or client's error number (MariaDB manual, "Error Codes"). */
export function failure(stderr: string, doing: string, daemon: Daemon, host: Host, dialect: Dialect): AegirError {
  const { name, label, socketPlugin } = dialect;
  const number = Number(NUMBER.exec(stderr)?.slice(1).find(Boolean) ?? 0);
  const start =
    host.kind === 'systemd'
      ? `; start it, for example: systemctl start ${name}`
      : '; see the log of the embedded server';
  const ended: Known = { code: 'unavailable', text: `${label} ended in the middle of it; see its log` };
  const administer: Known = {
    code: 'permission_denied',
    text: `the agent may not administer ${label} by its socket; let its user in with ${socketPlugin} authentication`,
  };
  const packet: Known = {
    code: 'failed_precondition',
    text: `something in it is longer than max_allowed_packet of ${label}; raise that, to twice the longest value`,
  };
  const foreign: Known = {
    code: 'failed_precondition',
    text: `${label} does not know something in it; it may be of a newer version, or of a plugin that is not there`,
  };
  const known: Readonly<Record<number, Known>> = {
    2002: { code: 'unavailable', text: `${label} does not answer on ${daemon.socket}${start}` },
    2013: ended,
    2006: ended,
    1053: { code: 'unavailable', text: `${label} is shutting down; start it again` },
    1040: { code: 'unavailable', text: `${label} has too many connections; raise its max_connections` },
    1698: administer,
    1045: administer,
    1021: { code: 'resource_exhausted', text: `the disk of ${label} is full; make room there` },
    1114: { code: 'resource_exhausted', text: `a table of ${label} is full; make room on its disk` },
    1030: {
      code: 'resource_exhausted',
      text: `the storage engine of ${label} failed; see its log, and whether there is room on its disk`,
    },
    1290: {
      code: 'failed_precondition',
      text: `${label} runs with an option that forbids it, for example read-only or skip-grant-tables; take that away`,
    },
    1836: { code: 'failed_precondition', text: `${label} is read-only; make it writable` },
    1205: {
      code: 'unavailable',
      text:
        'somebody holds a lock on it; end that as its administrator: SHOW PROCESSLIST names connections (KILL id), ' +
        'XA RECOVER transactions that were prepared and not ended (XA ROLLBACK xid)',
    },
    1412: { code: 'aborted', text: 'its tables were changed meanwhile; try again' },
    1049: { code: 'failed_precondition', text: `there is no such database in ${label}; verify the site` },
    1146: { code: 'aborted', text: 'its tables were changed meanwhile; try again' },
    1356: {
      code: 'failed_precondition',
      text: `${viewIn(stderr)} refers to what is not there or may not be seen; mend or drop that view`,
    },
    1449: {
      code: 'failed_precondition',
      text: 'something in it is defined by a user who is not there; make or drop that view or routine anew',
    },
    1153: packet,
    2020: packet,
    1115: foreign,
    1193: foreign,
    1273: foreign,
    1286: foreign,
    1419: trusted(label),
    1418: trusted(label),
  };
  const full = /Errcode: 28|No space left/i.test(stderr);
  const found = full ? known[1021] : known[number];
  // An error of syntax quotes what it was given.
  const cause = stderr
    .replace(/\*[0-9A-Fa-f]{40}/g, '*…')
    .replace(/\$A\$[^']*/g, '$A$…')
    .slice(-4096);
  if (found !== undefined) return new AegirError(found.code, `cannot ${doing}: ${found.text}`, { cause });
  return new AegirError('internal', `cannot ${doing}: ${label} answered with error ${number}; see the agent's log`, {
    cause,
  });
}

/** A name that somebody chose is told where it is a plain one. */
function viewIn(stderr: string): string {
  const name = /View '\w{1,64}\.([\w$-]{1,64})' references/.exec(stderr)?.[1];
  return name === undefined ? 'a view in it' : `view ${name} in it`;
}

/** MariaDB manual, "Binary Logging of Stored Routines". */
export function trusted(label: string): Known {
  return {
    code: 'failed_precondition',
    text: `it has triggers or functions, which ${label} with its binary log lets only administrators make; set log_bin_trust_function_creators = ON there`,
  };
}

export function overreaching(label: string): Known {
  return {
    code: 'permission_denied',
    text: `${label} was asked for something beyond this database, which the rights of a site do not allow`,
  };
}
