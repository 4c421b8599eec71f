// A set of digests by 8 of their bytes: compact, and wrong only in that it may say yes of one that it does not have. So it
// tells what to keep, never what to take away. For 10 million digests it takes 256 MiB, while it grows 384 MiB.

export interface Fingerprints {
  /** hex: at least 16 hexadecimal digits of a hash. */
  add(hex: string): void;
  has(hex: string): boolean;
  readonly size: number;
}

export function createFingerprints(slots = 65_536): Fingerprints {
  let table = new BigUint64Array(slots);
  let size = 0;

  const slotOf = (of: BigUint64Array, print: bigint): number => {
    const mask = of.length - 1;
    let slot = Number(print & BigInt(mask));
    while (of[slot] !== 0n && of[slot] !== print) slot = (slot + 1) & mask;
    return slot;
  };
  const printOf = (hex: string): bigint => BigInt(`0x${hex.slice(0, 16)}`) || 1n; // 0 is an empty slot
  const grow = () => {
    const larger = new BigUint64Array(table.length * 2);
    for (const print of table) if (print !== 0n) larger[slotOf(larger, print)] = print;
    table = larger;
  };
  return {
    get size() {
      return size;
    },
    add(hex) {
      const print = printOf(hex);
      const slot = slotOf(table, print);
      if (table[slot] === print) return;
      table[slot] = print;
      size += 1;
      if (size * 10 > table.length * 6) grow();
    },
    has(hex) {
      const print = printOf(hex);
      return table[slotOf(table, print)] === print;
    },
  };
}
