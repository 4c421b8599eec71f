// The one suite that every store passes, whatever database is below it.
import { afterEach, beforeEach, describe } from 'vitest';
import { eventCases } from './conformance/events.ts';
import { graphCases } from './conformance/graph.ts';
import { migrationCases } from './conformance/migrations.ts';
import { reportCases } from './conformance/reports.ts';
import { taskCases } from './conformance/tasks.ts';
import { transactionCases } from './conformance/transactions.ts';
import { uniqueCases } from './conformance/uniques.ts';
import type { Migration } from './migrations/migrations.ts';
import type { Store } from './store.ts';

export interface OpenOptions {
  readonly migrations?: readonly Migration[];
  readonly transactionMs?: number;
}

/** One fresh, empty place for a store. */
export interface Place {
  /** Opens the store that is there; the caller closes it. */
  open(options?: OpenOptions): Promise<Store>;
  /** Ends the place with all that is in it. */
  remove(): Promise<void>;
}

/** What cases work with: a new store for each case. */
export interface Subject {
  readonly store: Store;
  readonly place: Place;
  /** Closes the store and opens it again: what is there then was durable. */
  reopen(): Promise<Store>;
}

export function describeStore(name: string, makePlace: () => Promise<Place>): void {
  describe(`store: ${name}`, () => {
    let place: Place;
    let store: Store;
    const subject = (): Subject => ({
      store,
      place,
      reopen: async () => {
        await store.close();
        store = await place.open();
        return store;
      },
    });

    beforeEach(async () => {
      place = await makePlace();
      store = await place.open();
    });
    afterEach(async () => {
      await store.close();
      await place.remove();
    });

    describe('graph', () => graphCases(subject));
    describe('unique rules', () => uniqueCases(subject));
    describe('reports', () => reportCases(subject));
    describe('tasks', () => taskCases(subject));
    describe('events and audit', () => eventCases(subject));
    describe('transactions', () => transactionCases(subject));
    describe('migrations', () => migrationCases(subject));
  });
}
