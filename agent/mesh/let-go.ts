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

/**
 * The bytes are gone when it returns, and all that lies in the same memory. For those that nobody else has; what lies in less
 * memory stays as it is. Repeatable.
 */
export function letGo({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength >= OWN_BYTES) buffer.transfer(0);
}
