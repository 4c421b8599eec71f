// A machine whose processes can be killed at a boundary of a task, and what must be true of it afterwards.
import { expect } from 'vitest';
import { createBrowser } from '../../deploy/up/browse.ts';
import { LOOPBACK } from '../../deploy/up/processes.ts';
import type { ChangeResponse } from '../../shared/gen/aegir/v1/admin.ts';
import { stateOf } from '../e2e/host-state.ts';
import {
  addPlatform,
  createMachine,
  type Finished,
  finish,
  type Machine,
  type ProcessName,
  taskIds,
} from '../e2e/machine.ts';
import { deleteSite, installSite, newTask, SITE } from '../e2e/site-tasks.ts';
import { boundariesOf, clearTrap, setTrap, watched } from './boundaries.ts';
import { brokenCode } from './broken-code.ts';
import { gapsIn } from './story.ts';

const PROCESSES: readonly ProcessName[] = ['master', 'web1', 'db1'];

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
  boundaries(change: Change, name: ProcessName): readonly string[];
  /** Asks, lets the process die at the boundary, starts it again, and follows the task to its end. */
  killed(change: Change, name: ProcessName, boundary: string): Promise<Finished>;
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
    for (const name of PROCESSES) await start(name);
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
      boundaries: (change, name) => found.get(change)?.get(name) ?? [],
      succeed,
      killed: async (change, name, boundary) => {
        const known = await taskIds(machine);
        setTrap(machine, name, boundary);
        let id = await change.ask(machine).then(
          ({ taskId }) => taskId,
          (error: { code?: string }) => {
            // The master died before its answer went out; whether the task was made shows afterwards.
            if (name === 'master' && error.code === 'unavailable') return undefined;
            throw error;
          },
        );
        const victim = machine.process(name);
        const ended = id === undefined ? [] : [finish(machine, id).then(() => false)];
        const died = await Promise.race([victim.ended.then(() => true), ...ended]);
        if (!died && victim.alive()) {
          clearTrap(machine, name);
          throw new Error(`${name} never came to ${boundary}`);
        }
        expect(await victim.ended).toContain('SIGKILL');
        await start(name);
        id ??= (await newTask(machine, change.verb, known))?.id ?? (await change.ask(machine)).taskId;
        const done = await finish(machine, id);
        expect(gapsIn(done)).toEqual([]);
        return done;
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
