// One at a time: calls run in the order in which they came, each after the last has ended, well or not.

export type Serial = <T>(act: () => Promise<T>) => Promise<T>;

export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve();
  return (act) => {
    const mine = last.then(act, act);
    last = mine.catch(() => {}); // the caller has the error; the next in line does not care
    return mine;
  };
}
