// What brings a site's role to its spec.
import type { DbSpec } from '../../../../shared/gen/aegir/v1/spec.ts';
import type { Change } from '../../engine.ts';
import type { Client } from './client.ts';
import { attributeDrift, passwordDrift } from './drift.ts';
import type { FoundRole } from './look.ts';
import { scramVerifier } from './scram.ts';
import { createRole, endConnections, leaveDatabase, leaveRoles, setAttributes, setPassword } from './sql.ts';
import { statement } from './statement.ts';

export function planRole(client: Client, spec: DbSpec, found: FoundRole | undefined): readonly Change[] {
  const { user, password, frozen } = spec;
  if (found === undefined) {
    const summary = `create user ${user}${frozen ? ', locked' : ''}`;
    return [statement(client, summary, createRole(user, scramVerifier(password), frozen))];
  }
  const changes: Change[] = [];
  const attributes = attributeDrift(found, frozen);
  if (attributes.length > 0) {
    const lock = attributes.length === 1 && attributes[0] === 'it was not locked';
    const summary = lock ? `lock ${user}` : `make ${user} an ordinary user again (${attributes.join(', ')})`;
    changes.push(statement(client, summary, setAttributes(user, frozen)));
  }
  if (frozen && (attributes.length > 0 || found.connected)) {
    // Who is in already would stay: a server asks who may come in at log-in only.
    const summary = `end the connections of ${user}, which is frozen`;
    changes.push(statement(client, summary, endConnections(user, 'true')));
  }
  const why = passwordDrift(found, password);
  if (why.length > 0) {
    const summary = `set the password of ${user} (${why.join(', ')})`;
    changes.push(statement(client, summary, setPassword(user, scramVerifier(password))));
  }
  if (found.memberOf.length > 0) {
    const roles = [...new Set(found.memberOf.map(({ role }) => inLine(role)))];
    const summary = `take ${user} out of ${roles.join(', ')}, whose rights it must not have`;
    changes.push(statement(client, summary, leaveRoles(user, found.memberOf)));
  }
  return changes;
}

/** own: its own database when that is there. */
export function leaveElsewhere(
  client: Client,
  user: string,
  found: FoundRole,
  own: string | undefined,
): readonly Change[] {
  return found.elsewhere.map((database) => {
    const where = database === '' ? 'what is of no database' : `database ${inLine(database)}`;
    const summary = `take from ${user} what it has of ${where}: there were rights that it must not have`;
    return statement(client, summary, leaveDatabase(user, own), database || undefined);
  });
}

/** Summaries are one line, whatever somebody named a role or a database. */
function inLine(name: string): string {
  return /^[\x21-\x7e]+$/.test(name) ? name : JSON.stringify(name);
}
