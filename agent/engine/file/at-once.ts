// Many small calls at a time, bounded: what a file system, or a network, does side by side.

/** Answers in the order of the items. After the first error no further one is begun. */
export async function atOnce<T, R>(items: readonly T[], most: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const answers = new Array<R>(items.length);
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (next < items.length && !failed) {
      const at = next;
      next += 1;
      try {
        answers[at] = await act(items[at] as T);
      } catch (thrown) {
        failed = true;
        throw thrown;
      }
    }
  };
  const lanes = Array.from({ length: Math.min(most, items.length) }, lane);
  const ended = await Promise.allSettled(lanes);
  for (const lane of ended) if (lane.status === 'rejected') throw lane.reason;
  return answers;
}
