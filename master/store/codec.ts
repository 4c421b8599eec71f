// How one field of a record becomes one column and back. Columns are text, integer or real on both databases; what
// one of the databases could not keep exactly is refused here, so that both behave alike.
import { AegirError } from '../../shared/error.ts';

export type Cell = string | number | null;

export interface Codec<V> {
  /** Whether find() may compare it. */
  readonly scalar: boolean;
  encode(value: V, field: string): Cell;
  decode(cell: Cell): V;
}

export type Codecs<R> = { readonly [K in keyof R]-?: Codec<R[K]> };

/** ts-proto's object for a message type. */
interface MessageType<M> {
  fromJSON(object: unknown): M;
  toJSON(message: M): unknown;
}

function refuse(field: string, why: string): never {
  throw new AegirError('invalid_argument', `cannot save ${field}: ${why}`);
}

/** Text of ours or checked before. PostgreSQL has no NUL in text; lone surrogates have no UTF-8. */
export function text<V extends string = string>(): Codec<V> {
  return {
    scalar: true,
    encode: (value, field) =>
      value.includes('\0') ? refuse(field, 'it has a NUL character') : (value as string).toWellFormed(),
    decode: (cell) => String(cell) as V,
  };
}

/** Text that programs wrote: must never be why a task can't be saved, so what can't be kept is replaced. */
export function programText(): Codec<string> {
  return {
    scalar: true,
    encode: (value) => value.replaceAll('\0', '\ufffd').toWellFormed(),
    decode: (cell) => String(cell),
  };
}

export function integer(): Codec<number> {
  return {
    scalar: true,
    encode: (value, field) =>
      Number.isSafeInteger(value) ? value : refuse(field, `${value} is no integer below 2^53 in size`),
    decode: Number,
  };
}

export function real(): Codec<number> {
  return {
    scalar: true,
    encode: (value, field) => (Number.isFinite(value) ? value : refuse(field, `${value} is no finite number`)),
    decode: Number,
  };
}

/** As 0 and 1. */
export function flag(): Codec<boolean> {
  return { scalar: true, encode: (value) => (value ? 1 : 0), decode: (cell) => cell === 1 };
}

export function json<V>(): Codec<V> {
  return {
    scalar: false,
    encode: (value) => JSON.stringify(value),
    decode: (cell) => JSON.parse(String(cell)) as V,
  };
}

/** By ts-proto's JSON, which keeps 64-bit integers and dates. */
export function message<M>(type: MessageType<M>): Codec<M> {
  return {
    scalar: false,
    encode: (value) => JSON.stringify(type.toJSON(value)),
    decode: (cell) => type.fromJSON(JSON.parse(String(cell))),
  };
}

export function nullable<V>(codec: Codec<V>): Codec<V | null> {
  return {
    scalar: codec.scalar,
    encode: (value, field) => (value === null ? null : codec.encode(value, field)),
    decode: (cell) => (cell === null ? null : codec.decode(cell)),
  };
}

/** Columns of the fields that are given; undefined counts as not given. */
export function encodeRow<R>(codecs: Codecs<R>, values: Partial<R>): Record<string, Cell> {
  const row: Record<string, Cell> = {};
  for (const field of Object.keys(values) as (keyof R & string)[]) {
    const value = values[field];
    if (value === undefined) continue;
    if (!Object.hasOwn(codecs, field)) refuse(field, 'the store knows no such field');
    row[field] = codecs[field].encode(value as R[typeof field], field);
  }
  return row;
}

export function decodeRow<R>(codecs: Codecs<R>, row: object): R {
  const cells = row as Record<string, Cell>;
  const record: Record<string, unknown> = {};
  for (const field of Object.keys(codecs) as (keyof R & string)[]) {
    record[field] = codecs[field].decode(cells[field] ?? null);
  }
  return record as R;
}
