import { describe, expect, it } from 'vitest';
import { attributeDrift, openingDrift, passwordDrift, rightsDrift, schemaDrift } from './drift.ts';
import type { FoundContents, FoundDatabase, FoundRole } from './look.ts';
import { scramVerifier } from './scram.ts';

const role: FoundRole = {
  login: true,
  inherit: true,
  superuser: false,
  createdb: false,
  createrole: false,
  replication: false,
  bypassrls: false,
  limit: -1,
  expires: false,
  connected: false,
  verifier: scramVerifier('right'),
  memberOf: [],
  elsewhere: [],
};
const database: FoundDatabase = {
  encoding: 'UTF8',
  owner: 's_1',
  allowsConnections: true,
  isTemplate: false,
  limit: -1,
  publicRights: false,
  ownerRights: true,
};
const contents: FoundContents = { publicCreates: false, schemaClosed: false, foreign: 0 };

describe('a role', () => {
  it('as it was made is as wanted', () => {
    expect(attributeDrift(role, false)).toEqual([]);
    expect(passwordDrift(role, 'right')).toEqual([]);
  });

  it.each<[Partial<FoundRole>, string]>([
    [{ login: false }, 'it was locked'],
    [{ superuser: true }, 'it was a superuser'],
    [{ createdb: true }, 'it could make databases'],
    [{ createrole: true }, 'it could make users'],
    [{ replication: true }, 'it could replicate'],
    [{ bypassrls: true }, 'it could read every row'],
    [{ inherit: false }, 'it did not inherit'],
    [{ limit: 5 }, 'it had a limit of connections'],
    [{ expires: true }, 'it would expire'],
  ])('that is %j: %s', (change, why) => expect(attributeDrift({ ...role, ...change }, false)).toEqual([why]));

  it('of a frozen site is locked', () => {
    expect(attributeDrift({ ...role, login: false }, true)).toEqual([]);
    expect(attributeDrift(role, true)).toEqual(['it was not locked']);
  });

  it.each([
    [null, 'it had none'],
    ['md5900150983cd24fb0d6963f7d28e17f72', 'it was kept by another method'],
    [scramVerifier('wrong'), 'it was another one'],
  ])('with %j for a password: %s', (verifier, why) => {
    expect(passwordDrift({ ...role, verifier }, 'right')).toEqual([why]);
  });
});

describe('a database', () => {
  it('as it was made is as wanted', () => {
    expect([...openingDrift(database), ...rightsDrift(database), ...schemaDrift(contents)]).toEqual([]);
  });

  it.each<[Partial<FoundDatabase>, string]>([
    [{ allowsConnections: false }, 'it took no connections'],
    [{ limit: 0 }, 'it had a limit of connections'],
    [{ isTemplate: true }, 'it was a template'],
    [{ publicRights: true }, 'everybody had rights on it'],
    [{ ownerRights: false }, 'rights were missing'],
  ])('that is %j: %s', (change, why) => {
    const found = { ...database, ...change };
    expect([...openingDrift(found), ...rightsDrift(found)]).toEqual([why]);
  });

  it.each<[Partial<FoundContents>, string]>([
    [{ publicCreates: true }, 'everybody could make things in it'],
    [{ schemaClosed: true }, 'rights were missing'],
  ])('in which is %j: %s', (change, why) => expect(schemaDrift({ ...contents, ...change })).toEqual([why]));
});
