// Where PostgreSQL is, as its client library takes it: a host name or address, or the directory of a socket; and a port,
// which names the socket too.
import { dirname } from 'node:path';
import type { DbConnection } from '../../shared/gen/aegir/v1/spec.ts';
import { portOfSocket } from '../host/postgresql-reload.ts';

export function pgsqlPlace(db: DbConnection): { readonly host: string; readonly port: number } {
  if (db.socket === '') return { host: db.host, port: db.port };
  return { host: dirname(db.socket), port: portOfSocket(db.socket) };
}
