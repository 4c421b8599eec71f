// Events come back in order and in pages; the audit log newest first.
import { expect, it } from 'vitest';
import type { Subject } from '../conformance.ts';
import type { EventRecord } from '../model.ts';
import { BIG, ODD } from './samples.ts';

const event = (taskId: string, n: number): Omit<EventRecord, 'seq'> => ({
  taskId,
  step: n === 0 ? null : n,
  time: BIG,
  body: { log: { text: `${ODD} \0 ${n}` } },
});

export function eventCases(subject: () => Subject): void {
  it('events keep their order over batches of any size', async () => {
    const { store, reopen } = subject();
    expect(await store.events.append([])).toEqual([]);
    const first = await store.events.append([event('task-1', 0)]);
    const many = await store.events.append(
      Array.from({ length: 4500 }, (_, n) => event(n % 3 ? 'task-1' : 'task-2', n)),
    );
    expect(many.map(({ step }) => step ?? 0)).toEqual(Array.from({ length: 4500 }, (_, n) => n));
    const seqs = [...first, ...many].map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));

    const again = await reopen();
    const wanted = [...first, ...many].filter(({ taskId }) => taskId === 'task-1');
    expect(await again.events.list('task-1', 0, 10_000)).toStrictEqual(wanted);
    const page = await again.events.list('task-1', wanted[9]?.seq ?? 0, 5);
    expect(page).toStrictEqual(wanted.slice(10, 15));
    expect(await again.events.list('task-1', 0, 0)).toEqual([]);
    expect(await again.events.list('task-3', 0, 5)).toEqual([]);
    await expect(again.events.list('task-1', 0, -1)).rejects.toMatchObject({ code: 'invalid_argument' });
  });

  it('whoever follows a task sees every event once, in order, while several write', async () => {
    const { store } = subject();
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let n = 0; n < 20; n++)
        await store.events.append([event('task-1', writer * 100 + n + 1), event('task-2', 1)]);
    });
    let writing = true;
    const written = Promise.all(writers).finally(() => {
      writing = false;
    });
    const seen: EventRecord[] = [];
    for (let last = false; !last; ) {
      last = !writing;
      seen.push(...(await store.events.list('task-1', seen.at(-1)?.seq ?? 0, 7)));
      if (last) seen.push(...(await store.events.list('task-1', seen.at(-1)?.seq ?? 0, 1000)));
    }
    await written;
    expect(seen).toStrictEqual(await store.events.list('task-1', 0, 1000));
    expect(seen).toHaveLength(80);
    for (let writer = 0; writer < 4; writer++) {
      const own = seen.map(({ step }) => step ?? 0).filter((step) => Math.floor(step / 100) === writer);
      expect(own).toEqual(Array.from({ length: 20 }, (_, n) => writer * 100 + n + 1));
    }
  });

  it('audit records page backwards', async () => {
    const { store } = subject();
    for (let n = 0; n < 5; n++) {
      await store.audit.append({ time: n, actor: ODD, method: '', subject: `a\0${n}`, outcome: 'ok' });
    }
    const newest = await store.audit.list(undefined, 2);
    expect(newest.map(({ time }) => time)).toEqual([4, 3]);
    expect(newest[0]).toMatchObject({ actor: ODD, method: '', subject: 'a\ufffd4', outcome: 'ok' });
    const older = await store.audit.list(newest[1]?.seq, 1000);
    expect(older.map(({ time }) => time)).toEqual([2, 1, 0]);
  });
}
