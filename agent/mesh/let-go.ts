// Memory that is given back at once: V8 otherwise looks through all that lives every few megabytes of such bytes, to learn
// that nobody has them any more, and a transfer is made of hundreds of them.

/** From here on bytes lie in memory of their own: Node's pool, and what it reads from a socket at once, are half as large. */
export const OWN_BYTES = 128 * 1024;

/** The memory of bytes that may be given away, each once: of those that nobody else has. */
export function memoryOf(all: readonly Uint8Array[]): ArrayBuffer[] {
  const found = new Set<ArrayBuffer>();
  for (const { buffer } of all) {
    if (buffer instanceof ArrayBuffer && buffer.byteLength >= OWN_BYTES) found.add(buffer);
  }
  return [...found];
}

/** The bytes are gone when it returns. For those that nobody else has; smaller ones stay as they are. Repeatable. */
export function letGo({ length, buffer }: Uint8Array): void {
  if (length >= OWN_BYTES && buffer instanceof ArrayBuffer && !buffer.detached) buffer.transfer(0);
}
