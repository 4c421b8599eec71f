// Puts many things to do into few messages: an action may send a bounded number, of a bounded length each. Pure.

/** Below the agent's bounds, so that nothing is cut off or dropped there. */
const MESSAGES = 16;
const LENGTH = 4000;

/** One message a line while they are few; else as many lines in each as fit. Never leaves one out unsaid. */
export function pack(lines: readonly string[]): readonly string[] {
  if (lines.length <= MESSAGES) return lines;
  const packed: string[] = [];
  let left = lines.length;
  for (const line of lines) {
    const last = packed.at(-1);
    const joined = last === undefined ? line : `${last}; then ${line}`;
    if (last !== undefined && joined.length <= LENGTH) packed[packed.length - 1] = joined;
    else if (packed.length < MESSAGES) packed.push(line);
    else break;
    left -= 1;
  }
  if (left > 0) packed.push(`do likewise for ${left} more records of the site: they are told once these are done`);
  return packed;
}
