// What we change in what pg_dump writes: the versions of server and program, and the key by which it keeps commands of
// psql out of a restore, for the same content is to be the same bytes; a restore has a key of its own.

/** Longest line that is looked at, and the most lines before the first statement. */
const LOOK = 4096;
const NEWLINE = 0x0a;
const DROPPED =
  /^(?:-- Dumped (?:from database version|by pg_dump version) .*|-- PostgreSQL database dump(?: complete)?)\n$/;
const RESTRICT = /^\\restrict ([A-Za-z0-9]+)\n$/;

/** Holds one line's beginning and one chunk at most. */
export async function* cleaned(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let inHead = true;
  let unrestrict: string | undefined;
  let start: Buffer = Buffer.alloc(0);
  let isDecided = false;

  const keeps = (line: Buffer): boolean => {
    const text = line.toString('latin1');
    const key = inHead ? RESTRICT.exec(text)?.[1] : undefined;
    if (key !== undefined) unrestrict = `\\unrestrict ${key}\n`;
    const drops = key !== undefined || text === unrestrict || (inHead && DROPPED.test(text));
    if (!drops && !/^(?:--.*)?\n$/.test(text)) inHead = false;
    return !drops;
  };

  for await (const chunk of source) {
    const out: Buffer[] = [];
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (bytes.length > 0) {
      const newline = bytes.indexOf(NEWLINE);
      const piece = newline < 0 ? bytes : bytes.subarray(0, newline + 1);
      bytes = bytes.subarray(piece.length);
      if (isDecided) out.push(piece);
      else {
        start = start.length === 0 ? piece : Buffer.concat([start, piece]);
        if (newline < 0 && start.length < LOOK) continue;
        if (keeps(start)) out.push(start);
        isDecided = true;
        start = Buffer.alloc(0);
      }
      if (newline >= 0) isDecided = false;
    }
    if (out.length > 0) yield out.length === 1 ? (out[0] as Buffer) : Buffer.concat(out);
  }
  if (start.length > 0 && keeps(start)) yield start;
}

/** Of a list, whose words the server has quoted already. */
const LISTS = ['search_path', 'temp_tablespaces', 'local_preload_libraries', 'session_preload_libraries'];

/**
 * SQL that gives the database that it is run in this setting, as far as its owner may. setting: NAME=VALUE, as the server
 * keeps it; undefined for a name that none of ours could be.
 */
export function settingSql(setting: string): string | undefined {
  const at = setting.indexOf('=');
  const [name, value] = [setting.slice(0, at), setting.slice(at + 1)];
  if (!/^[A-Za-z_][A-Za-z0-9_$]*(?:\.[A-Za-z_][A-Za-z0-9_$]*)?$/.test(name)) return undefined;
  const quoted = `'${value.replaceAll("'", "''")}'`;
  const set = `SET ${name} TO ${LISTS.includes(name.toLowerCase()) ? value : quoted}`;
  // No text holds its own quotes.
  let tag = 'aegir';
  while (set.includes(`$${tag}$`)) tag += '_';
  return `DO $${tag}$ BEGIN EXECUTE format('ALTER DATABASE %I ', current_database()) || '${set.replaceAll("'", "''")}';
EXCEPTION WHEN insufficient_privilege OR undefined_object OR invalid_parameter_value THEN NULL; END $${tag}$;\n`;
}
