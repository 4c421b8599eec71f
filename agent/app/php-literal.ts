// Values in PHP source: quoted so that no text can end its string.

/** A PHP string literal in single quotes: only \ and ' mean anything in it (PHP manual, "Strings"). */
export function phpString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** define() of a constant. */
export function phpDefine(name: string, value: string | number | boolean): string {
  return `define('${name}', ${typeof value === 'string' ? phpString(value) : String(value)});\n`;
}
