// named's configuration: what it says, as named-checkconf prints it, and the few lines in it that are ours. Pure.

export const KEY_NAME = 'aegir-key';

export interface NamedConf {
  /** "yes", "no" or undefined where nothing is said. */
  readonly allowNewZones: string | undefined;
  readonly directory: string | undefined;
  readonly hasKey: boolean;
  readonly hasViews: boolean;
  /** Who may transfer zones, as the options say; undefined: nothing is said. */
  readonly allowTransfer: string | undefined;
  /** Where it hears questions on this machine. */
  readonly address: string;
  readonly port: number;
}

/** The text of `named-checkconf -p -x`: canonical, includes followed, secrets hidden. */
export function parseConf(text: string): NamedConf {
  const options = /^options \{\n([\s\S]*?)^\};$/m.exec(text)?.[1] ?? '';
  const of = (option: string): string | undefined => new RegExp(`^\\t${option} (.*);$`, 'm').exec(options)?.[1];
  const listening = /^\tlisten-on (?:port ([0-9]+) )?\s*\{([\s\S]*?)\};$/m.exec(options);
  const heard = [...(listening?.[2] ?? '').matchAll(/([0-9]+(?:\.[0-9]+){3})(?:\/32)?;/g)].map(
    (match) => match[1] ?? '',
  );
  return {
    allowNewZones: of('allow-new-zones'),
    directory: of('directory')?.replaceAll('"', ''),
    hasKey: new RegExp(`^key "${KEY_NAME}" \\{`, 'm').test(text),
    hasViews: /^view /m.test(text),
    allowTransfer: /^\tallow-transfer +\{\s*([\s\S]*?)\s*\};$/m.exec(options)?.[1]?.replace(/\s+/g, ' '),
    address: heard.length === 0 || heard.includes('127.0.0.1') ? '127.0.0.1' : (heard[0] ?? '127.0.0.1'),
    port: Number(listening?.[1] ?? of('port') ?? 53),
  };
}

export function keyFile(secret: string): string {
  return `// Written by Aegir: the key by which it changes zones.\nkey "${KEY_NAME}" {\n\talgorithm hmac-sha256;\n\tsecret "${secret}";\n};\n`;
}

export function secretIn(file: string): string | undefined {
  return new RegExp(`key "${KEY_NAME}" \\{[^}]*secret "([A-Za-z0-9+/=]{40,})";`).exec(file)?.[1];
}

export function withInclude(conf: string, path: string): string {
  return `${conf.replace(/\n*$/, '\n')}include "${path}"; // Aegir: the key by which it changes zones\n`;
}

/** The files that a configuration file includes, in order. */
export function includesOf(conf: string): readonly string[] {
  return [...withoutComments(conf).matchAll(/^\s*include\s+"([^"]+)"\s*;/gm)].map((match) => match[1] ?? '');
}

/** The file with new zones allowed in its options; undefined when it has no options. */
export function withNewZones(conf: string): string | undefined {
  const found = /^[ \t]*options[ \t\n]*\{/m.exec(withoutComments(conf));
  if (found === null) return undefined;
  const at = found.index + found[0].length;
  return `${conf.slice(0, at)}\n\tallow-new-zones yes; // Aegir: it makes zones while named runs${conf.slice(at)}`;
}

/** Of the same length: what stands in comments is blank. */
function withoutComments(conf: string): string {
  return conf.replace(/"(?:[^"\\\n]|\\.)*"|\/\*[\s\S]*?\*\/|(?:\/\/|#)[^\n]*/g, (piece) =>
    piece.startsWith('"') ? piece : piece.replace(/[^\n]/g, ' '),
  );
}

export interface ZoneConf {
  readonly file: string | undefined;
  readonly policy: string | undefined;
  readonly updates: boolean;
  readonly transfers: boolean;
}

/** The text of `rndc showzone`. */
export function parseZone(text: string): ZoneConf {
  return {
    file: /\bfile "([^"]+)"/.exec(text)?.[1],
    policy: /\bdnssec-policy "?([^";\s]+)"?;/.exec(text)?.[1],
    updates: text.includes(`grant "${KEY_NAME}" zonesub "any";`),
    transfers: new RegExp(`allow-transfer +\\{[^}]*key "${KEY_NAME}";`).test(text),
  };
}

/**
 * What `rndc addzone` and `modzone` take. Without check-integrity an MX record may come before the address of its host:
 * records are set one by one.
 */
export function zoneClause(file: string, policy: string, conf: NamedConf): string {
  const transfers = [`key "${KEY_NAME}";`, ...(conf.allowTransfer === undefined ? [] : [conf.allowTransfer])].join(' ');
  const keys = file.slice(0, file.lastIndexOf('/'));
  return (
    `{ type primary; file "${file}"; key-directory "${keys}"; allow-transfer { ${transfers} }; ` +
    `check-integrity no; update-policy { grant "${KEY_NAME}" zonesub "any"; }; dnssec-policy "${policy}"; };`
  );
}
