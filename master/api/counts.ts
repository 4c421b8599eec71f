// How many elements a request may have in one field, looked at on the wire before anything is made of them: half a million
// names fit into one message, and to judge each of them would keep the master from everybody else.
import { AegirError } from '../../shared/error.ts';

/** Far above what any method takes; those have limits of their own, by what the field means. */
export const MOST_ELEMENTS = 500;

interface Definition {
  readonly path: string;
  readonly requestDeserialize: (bytes: Buffer) => object;
}

const refusals = new WeakMap<object, AegirError>();

/** The same definition; a request with too much in it comes out empty, and requireCounted() says why. */
export function countedDefinition<D extends Definition>(definition: D): D {
  return {
    ...definition,
    requestDeserialize: (bytes: Buffer) => {
      const crowded = crowdedField(bytes);
      const request = crowded === undefined ? definition.requestDeserialize(bytes) : {};
      const field = crowded ?? crowdedInside(request);
      if (field === undefined) return request;
      const nothing = {};
      const what = `its field ${field} has more than ${MOST_ELEMENTS} elements`;
      refusals.set(nothing, new AegirError('invalid_argument', `cannot read the request: ${what}; send fewer at once`));
      return nothing;
    },
  };
}

/** Throws what was found wrong with a request of a counted definition. */
export function requireCounted(request: unknown): void {
  const refused = typeof request === 'object' && request !== null ? refusals.get(request) : undefined;
  if (refused !== undefined) throw refused;
}

/** Name of the first list with too much in a message inside this one: the wire does not tell messages from texts. */
function crowdedInside(message: object): string | undefined {
  for (const [name, value] of Object.entries(message)) {
    if (Array.isArray(value) && value.length > MOST_ELEMENTS) return name;
    if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) continue;
    const inside = crowdedInside(value);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/**
 * Number of the first field that is there too often, of a message in Protocol Buffers' wire format; undefined when none
 * is, or when it is no message, which its decoder will say.
 */
export function crowdedField(bytes: Uint8Array): number | undefined {
  const counts = new Map<number, number>();
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++] ?? 0;
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
      if (shift > 63) return Number.NaN;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const field = Math.floor(tag / 8);
    const count = (counts.get(field) ?? 0) + 1;
    if (count > MOST_ELEMENTS) return field;
    counts.set(field, count);
    if (counts.size > MOST_ELEMENTS) return field;
    const kind = tag % 8;
    const size = kind === 0 ? 0 : kind === 1 ? 8 : kind === 5 ? 4 : kind === 2 ? varint() : Number.NaN;
    if (kind === 0) varint();
    if (Number.isNaN(size)) return undefined;
    at += size;
  }
  return undefined;
}
