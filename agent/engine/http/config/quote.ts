// What may stand in a daemon's configuration: every value from outside passes here before it is rendered, and one that
// could end a string, a directive or a line, or that a daemon would interpolate, is refused. Pure.
import { AegirError } from '../../../../shared/error.ts';
import { isId } from '../../../../shared/id.ts';
import { absolutePath, hostName } from '../../../../shared/name.ts';

/** Letters and digits of any script, space, and marks that neither nginx, Apache nor PHP's ini reader give a meaning. */
const PLAIN = /^[\p{L}\p{M}\p{N} /._+@=,~-]+$/u;
/** A space that begins or ends a name: legal, and never meant. */
const EDGE_SPACE = /(?:^|\/) | (?:\/|$)/;
const PREFIX = /^(?:\/(?!\.{1,2}\/)[A-Za-z0-9._+@=,~-]+)+\/$/;
const SCRIPT = /^(?:\/(?!\.)[A-Za-z0-9_][A-Za-z0-9._+-]*)+$/;
const MOST_PATTERN = 2000;
/** sun_path of Linux, less its final NUL. */
const MOST_SOCKET = 107;

/** An absolute path that is safe inside double quotes everywhere. A slash at the end stays. */
export function configPath(path: string, what: string): string {
  absolutePath(path, what);
  if (PLAIN.test(path) && !EDGE_SPACE.test(path) && !path.endsWith('//')) return path;
  return refuse(path, what, 'it has a character that configuration files give a meaning; rename the directory');
}

export function configSocket(path: string, what: string): string {
  if (Buffer.byteLength(path) <= MOST_SOCKET) return configPath(path, what);
  return refuse(path, what, `a socket's path may have ${MOST_SOCKET} bytes`);
}

/** A host name in the form in which the wire carries it; nothing is mended here. */
export function configName(name: string): string {
  if (hostName(name) === name) return name;
  return refuse(name, 'host name', 'it is not in lower case ASCII form');
}

export function configSiteId(siteId: string): string {
  if (isId('site', siteId)) return siteId;
  return refuse(siteId, 'site id', 'it is no id of the form site-…');
}

export function configServiceId(serviceId: string): string {
  if (isId('svc', serviceId)) return serviceId;
  return refuse(serviceId, 'service id', 'it is no id of the form svc-…');
}

/** URI prefix with slashes at both ends. */
export function configPrefix(prefix: string): string {
  if (prefix.length <= 1000 && PREFIX.test(prefix)) return prefix;
  return refuse(prefix, 'URI prefix', 'it needs a slash at both ends and plain characters between');
}

/** Path of a script or name of an index file, from the docroot. */
export function configScript(path: string, what: string): string {
  if (path.length <= 1000 && SCRIPT.test(path)) return path;
  return refuse(path, what, 'it needs a leading slash and plain characters');
}

/**
 * A regular expression, as it stands: the renderer quotes it, and refuses what its own server would misread. Named groups are refused because nginx makes variables
 * of them, which could replace those that other directives use.
 */
export function configPattern(pattern: string): string {
  if (pattern === '' || pattern.length > MOST_PATTERN) {
    return refuse(pattern, 'pattern', `it needs 1 to ${MOST_PATTERN} characters`);
  }
  if (/\p{Cc}/u.test(pattern)) return refuse(pattern, 'pattern', 'it has a control character');
  if (/\(\?(?:P?<[A-Za-z_]|')/.test(pattern)) return refuse(pattern, 'pattern', 'it has a named group');
  return pattern;
}

/** Text of a comment: one line, whatever it was. */
export function configComment(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .trim()
    .slice(0, 200);
}

function refuse(value: string, what: string, why: string): never {
  throw new AegirError('invalid_argument', `cannot use ${JSON.stringify(value)} as ${what}: ${why}`);
}
