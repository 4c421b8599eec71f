// What of a site's role and database is not as it should be: pure, from what the server says.
import type { FoundContents, FoundDatabase, FoundRole } from './look.ts';
import { isOfPassword, isScram } from './scram.ts';

type Cases = readonly (readonly [drifted: boolean, why: string])[];

function reasons(cases: Cases): readonly string[] {
  return cases.flatMap(([drifted, why]) => (drifted ? [why] : []));
}

/** Reasons to set the password anew, in words. */
export function passwordDrift({ verifier }: FoundRole, password: string): readonly string[] {
  if (verifier === null) return ['it had none'];
  if (!isScram(verifier)) return ['it was kept by another method'];
  return isOfPassword(verifier, password) ? [] : ['it was another one'];
}

/** Reasons to set the role's attributes. */
export function attributeDrift(found: FoundRole, locked: boolean): readonly string[] {
  return reasons([
    [!found.login && !locked, 'it was locked'],
    [found.login && locked, 'it was not locked'],
    [found.superuser, 'it was a superuser'],
    [found.createdb, 'it could make databases'],
    [found.createrole, 'it could make users'],
    [found.replication, 'it could replicate'],
    [found.bypassrls, 'it could read every row'],
    [!found.inherit, 'it did not inherit'],
    [found.limit !== -1, 'it had a limit of connections'],
    [found.expires, 'it would expire'],
  ]);
}

/** Reasons to open the database to its owner's connections. */
export function openingDrift(found: FoundDatabase): readonly string[] {
  return reasons([
    [!found.allowsConnections, 'it took no connections'],
    [found.limit !== -1, 'it had a limit of connections'],
    [found.isTemplate, 'it was a template'],
  ]);
}

/** Reasons to set the rights on the database. */
export function rightsDrift(found: FoundDatabase): readonly string[] {
  return reasons([
    [found.publicRights, 'everybody had rights on it'],
    [!found.ownerRights, 'rights were missing'],
  ]);
}

/** Reasons to set the rights on the schema public in it. */
export function schemaDrift(found: FoundContents): readonly string[] {
  return reasons([
    [found.publicCreates, 'everybody could make things in it'],
    [found.schemaClosed, 'rights were missing'],
  ]);
}
