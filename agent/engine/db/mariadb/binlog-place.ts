// Places in a binary log, as the server says them: FILE:POSITION, where the files of one log are numbered. Pure.

export interface Place {
  readonly file: string;
  /** Bytes from the beginning of the file. */
  readonly offset: number;
}

/** undefined when it is none. */
export function placeOf(text: string): Place | undefined {
  const [, file, offset] = /^([A-Za-z0-9._-]{1,200}\.[0-9]{1,12}):([0-9]{1,15})$/.exec(text) ?? [];
  return file === undefined ? undefined : { file, offset: Number(offset) };
}

/** False also of places in different logs. */
export function isAtLeast(at: string, wanted: string): boolean {
  const [one, other] = [placeOf(at), placeOf(wanted)];
  if (one === undefined || other === undefined) return false;
  const [name, number] = split(one.file);
  const [wantedName, wantedNumber] = split(other.file);
  if (name !== wantedName) return false;
  return number > wantedNumber || (number === wantedNumber && one.offset >= other.offset);
}

export function isSameLog(at: string, other: string): boolean {
  const [one, two] = [placeOf(at), placeOf(other)];
  return one !== undefined && two !== undefined && split(one.file)[0] === split(two.file)[0];
}

function split(file: string): readonly [string, number] {
  const dot = file.lastIndexOf('.');
  return [file.slice(0, dot), Number(file.slice(dot + 1))];
}
