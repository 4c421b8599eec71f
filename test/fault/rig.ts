// A machine whose processes can be killed at a boundary of a task, and what must be true of it afterwards.
import { expect } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import { stateOf } from '../e2e/host-state.ts';
import { addPlatform, createMachine, finish, type Machine, type ProcessName } from '../e2e/machine.ts';
import { deleteSite, installSite, SITE } from '../e2e/site-tasks.ts';
import { type Outcome, settle, underBlows } from './blows.ts';
import { boundariesOf, watched } from './boundaries.ts';
import { brokenCode } from './broken-code.ts';
import { gapsIn } from './story.ts';
import type { Strike } from './strikes.ts';

export const PROCESSES: readonly ProcessName[] = ['master', 'web1', 'db1'];

export interface Change {
  readonly verb: 'site.install' | 'site.delete';
  readonly ask: (machine: Machine) => Promise<ChangeResponse>;
}

export const INSTALL: Change = { verb: 'site.install', ask: (machine) => installSite(machine) };
export const DELETE: Change = { verb: 'site.delete', ask: deleteSite };
/** Installs a site whose home page fails: everything is undone. */
export const DOOMED: Change = { verb: 'site.install', ask: (machine) => installSite(machine, SITE, [], 'broken') };

export interface Rig {
  readonly machine: Machine;
  /** Boundaries of each change, by process. */
  boundaries(change: Change): ReadonlyMap<ProcessName, readonly string[]>;
  /** Asks, lets processes die at boundaries, starts them again, and follows the task to its end; its story must be whole. */
  struck(change: Change, strikes: readonly Strike[]): Promise<Outcome>;
  succeed(change: Change): Promise<void>;
  hasSite(): Promise<boolean>;
  expectOneSite(): Promise<void>;
  expectNoSite(): Promise<void>;
  close(): Promise<void>;
}

export async function createRig(): Promise<Rig> {
  const machine = await createMachine();
  const start = (name: ProcessName) => machine.start(name, watched(machine.layout.dir, name));
  try {
    await start('master');
    await Promise.all(['web1', 'db1'].map(start));
    await machine.ready();
    await addPlatform(machine, 'wordpress', '/usr/share/wordpress');
    await addPlatform(machine, 'broken', brokenCode(machine.layout.dir));

    const follow = async (change: Change) => finish(machine, (await change.ask(machine)).taskId);
    const succeed = async (change: Change) => {
      const { task } = await follow(change);
      if (task.state !== 'succeeded') throw new Error(`${task.verb}: ${task.state}: ${task.reason}`);
    };
    // The first site brings what all sites share; that stays.
    await succeed(INSTALL);
    await succeed(DELETE);
    const without = await stateOf(machine);
    const found = new Map<Change, ReadonlyMap<ProcessName, readonly string[]>>();
    for (const change of [INSTALL, DELETE])
      found.set(change, await boundariesOf(machine, PROCESSES, async () => succeed(change)));
    found.set(
      DOOMED,
      await boundariesOf(machine, PROCESSES, async () => {
        const { task } = await follow(DOOMED);
        if (task.state !== 'failed') throw new Error(`the broken site's install ended as ${task.state}`);
      }),
    );
    const rig: Rig = {
      machine,
      boundaries: (change) => found.get(change) ?? new Map(),
      succeed,
      struck: async (change, strikes) => {
        await settle(machine);
        const where = { machine, start, names: PROCESSES, boundaries: rig.boundaries(change) };
        const outcome = await underBlows(where, strikes, change.verb, () => change.ask(machine));
        expect(gapsIn(outcome.done)).toEqual([]);
        return outcome;
      },
      hasSite: async () => (await stateOf(machine)).some((line) => line.startsWith('site ')),
      expectOneSite: async () => {
        const state = await stateOf(machine);
        const of = (kind: string) => state.filter((line) => line.startsWith(`${kind} `));
        expect(of('site')).toEqual([`site ${SITE} enabled`]);
        expect(of('database')).toHaveLength(1);
        // One user, from each of the web server's addresses.
        expect(of('user')).toHaveLength(2);
        expect(of('grant')).toHaveLength(2);
        expect(state.filter((line) => /^file etc\/nginx\/conf\.d\/aegir-site-/.test(line))).toHaveLength(1);
        const home = await createBrowser(LOOPBACK).get(`http://${SITE}:${machine.layout.ports.web1.nginx}/`);
        expect(home.status).toBe(200);
        expect(home.body).toContain('<title>Fault');
      },
      expectNoSite: async () => expect(await stateOf(machine)).toEqual(without),
      close: () => machine.close(),
    };
    await rig.expectNoSite();
    return rig;
  } catch (error) {
    await machine.close().catch(() => {});
    throw error;
  }
}
