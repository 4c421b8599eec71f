// Keeps secrets of one action out of everything that people or logs see: built from the secret fields of its specs.

/** Names of fields that are secret wherever they stand in a request (spec.proto says "Secret"). */
const SECRET_FIELDS: ReadonlySet<string> = new Set(['password', 'passwordHash', 'salt', 'keyPem']);
/** Those whose every value is secret. */
const SECRET_MAPS: ReadonlySet<string> = new Set(['secrets']);
const MASK = '[secret]';
const MIN_LINE = 16; // of a secret of several lines
const MIN_LENGTH = 4; // anything shorter would mask parts of ordinary words

export interface Redactor {
  /** A further secret, learned while running (a login link). */
  add(secret: string): void;
  redact(text: string): string;
}

export function createRedactor(request: unknown): Redactor {
  let forms: string[] = [];
  const add = (secret: string) => {
    if (secret.length < MIN_LENGTH) return;
    // The longest first, so that a form that contains another one is masked whole.
    forms = [...new Set([...forms, ...formsOf(secret)])].sort((a, b) => b.length - a.length);
  };
  collect(request, add);
  return {
    add,
    redact: (text) => forms.reduce((rest, form) => rest.replaceAll(form, MASK), text),
  };
}

/** A secret as programs print it: plain, in URLs, JSON, SQL and base64. */
function formsOf(secret: string): readonly string[] {
  return [
    secret,
    encodeURIComponent(secret),
    new URLSearchParams({ s: secret }).toString().slice(2),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll('\\', '\\\\').replaceAll("'", "\\'"),
    secret.replaceAll("'", "''"),
    secret.replaceAll('&', '&amp;'),
    Buffer.from(secret).toString('base64'),
  ].filter((form) => form.length >= MIN_LENGTH);
}

function collect(value: unknown, add: (secret: string) => void): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, add);
  } else if (value !== null && typeof value === 'object' && !(value instanceof Date)) {
    for (const [key, item] of Object.entries(value)) {
      if (SECRET_FIELDS.has(key)) for (const secret of textsIn({ item })) add(secret);
      else if (SECRET_MAPS.has(key)) for (const secret of textsIn(item)) add(secret);
      else collect(item, add);
    }
  }
}

/** The texts in a map, and the lines of those of several: a private key is printed line by line. */
function textsIn(map: unknown): readonly string[] {
  const texts = Object.values(map ?? {}).filter((item) => typeof item === 'string');
  return texts.flatMap((text) => [text, ...text.split(/\r?\n/).filter((line) => line.length >= MIN_LINE)]);
}

/** One line of at most max characters, without control characters. */
export function oneLine(text: string, max: number): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  return line.length <= max ? line : `${line.slice(0, max - 1)}…`;
}
