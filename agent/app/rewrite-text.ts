// What a value of a copied site becomes when it says the old site's URL, names or id: a PHP function, and what it is told.
// Values that PHP serialised are taken apart and put together again with lengths that are right; no object is ever made.
import { domainToUnicode } from 'node:url';
import type { SiteSpec } from '../../shared/gen/aegir/v1/spec.ts';
import type { Origin } from './app.ts';

/** What the program is told; see rewriteRules. */
export interface RewriteRules {
  /** Names that become the site's own; never one of its own. */
  readonly hosts: readonly string[];
  /** Ports that belong to them, besides none. */
  readonly ports: readonly number[];
  /** Scheme, host, and ":port" or nothing, of the site itself. */
  readonly scheme: string;
  readonly host: string;
  readonly port: string;
  /** Id that stands in paths, and the site's own; both empty for none. */
  readonly oldId: string;
  readonly newId: string;
}

/** undefined when nothing of the old site can stand there. Pure. */
export function rewriteRules(site: SiteSpec, from: Origin): RewriteRules | undefined {
  const [old, own] = [new URL(from.url), new URL(site.url)];
  const mine = new Set([site.name, ...site.aliases, own.hostname]);
  const names = [old.hostname, ...from.names].filter((name) => !mine.has(name));
  // As a person may have typed them.
  const hosts = [...new Set(names.flatMap((name) => [name, domainToUnicode(name)]))].filter((name) => name !== '');
  const id = from.siteId !== '' && from.siteId !== site.id;
  if (hosts.length === 0 && !id) return undefined;
  return {
    hosts,
    ports: [80, 443, ...(old.port === '' ? [] : [Number(old.port)])],
    scheme: own.protocol.slice(0, -1),
    host: own.hostname,
    port: own.port === '' ? '' : `:${own.port}`,
    oldId: id ? from.siteId : '',
    newId: id ? site.id : '',
  };
}

/**
 * Defines aegir_rewrite($text), which answers the text as it must be, or null where it cannot tell: it looks serialised, and
 * is broken or of a kind that only its own class can read.
 *
 * A name counts where it stands alone: not as part of a longer one, of a mail address (an account's, most often) or of a path.
 * In a URL the slashes and the colon may be escaped as JSON or percent signs do it; a port that is not the site's own makes
 * it another place.
 */
export const REWRITE_TEXT = String.raw`
const AEGIR_DEPTH = 400;
class AegirUnreadable extends Exception {}

function aegir_host_pattern($host) {
  // Comments in a page, as WordPress keeps its blocks, must not hold two hyphens.
  return str_replace('\-\-', '(?:--|\\\\u002d\\\\u002d)', preg_quote($host, '~'));
}

/** What of a name always stands as it is. */
function aegir_longest($host) {
  $parts = explode('--', $host);
  usort($parts, fn($one, $other) => strlen($other) - strlen($one));
  return $parts[0];
}

$aegir = (function ($in) {
  usort($in['hosts'], fn($one, $other) => strlen($other) - strlen($one));
  $colon = '(?::|%3A|%253A)';
  $slashes = '(?:(?:\\\\{0,8}/){2}|(?:%2F){2}|(?:%252F){2})';
  $escape = '(?<=[^\\\\]\\\\[nrt])|(?<=%(?!2[DEF]|40|5F)[0-9A-F]{2})|(?<=\\\\u00(?!2[def]|40|5f)[0-9a-f]{2})';
  // Letters of two bytes (Latin, Greek, Cyrillic, …) make a longer name; what is typeset, as quotation marks, does not.
  $alone = '(?:(?<![A-Za-z0-9_.@/\\\\-])(?<![\xC3-\xDF][\x80-\xBF])|' . $escape . ')';
  $hosts = implode('|', array_map('aegir_host_pattern', $in['hosts']));
  $ports = implode('|', $in['ports']);
  return array(
    'mentions' => array_merge(
      array_map('aegir_longest', $in['hosts']),
      $in['oldId'] === '' ? array() : array($in['oldId'])
    ),
    'hosts' => $hosts === '' ? null : "~(?:(?<scheme>https?|wss?)(?<colon>$colon)(?<slashes>$slashes)|(?<!:)(?<!%3A)(?<!%253A)(?<relative>$slashes)|$alone)"
      . "(?<host>$hosts)(?<port>(?<port_colon>$colon)(?:$ports)(?![0-9]))?(?!$colon" . '[0-9])(?![A-Za-z0-9_@-]|\.[A-Za-z0-9])~i',
    'id' => $in['oldId'] === '' ? null : '~(?<![a-z0-9-])' . preg_quote($in['oldId'], '~') . '(?![a-z0-9])~',
  ) + $in;
})($in['rules']);

function aegir_plain($text) {
  global $aegir;
  if ($aegir['hosts'] !== null) {
    $text = preg_replace_callback($aegir['hosts'], function ($found) use ($aegir) {
      $host = $aegir['host'];
      if (stripos($found['host'], '\u002d') !== false) $host = str_replace('--', '\u002d\u002d', $host);
      $colon = ($found['port_colon'] ?? '') !== '' ? $found['port_colon'] : ($found['colon'] !== '' ? $found['colon'] : ':');
      $port = $aegir['port'] === '' ? '' : $colon . substr($aegir['port'], 1);
      $scheme = strtolower($found['scheme'][0] ?? '') === 'w' ? str_replace('http', 'ws', $aegir['scheme']) : $aegir['scheme'];
      if ($found['scheme'] !== '') return $scheme . $found['colon'] . $found['slashes'] . $host . $port;
      if ($found['relative'] !== '') return $found['relative'] . $host . $port;
      // A bare name with a port keeps having one; without, it stays a name.
      return $host . (($found['port'] ?? '') !== '' ? $port : '');
    }, $text);
    if ($text === null) throw new Exception('a value could not be searched: ' . preg_last_error_msg());
  }
  if ($aegir['id'] !== null) $text = preg_replace($aegir['id'], $aegir['newId'], $text);
  return $text;
}

function aegir_rewrite($text) {
  try { return aegir_value($text, 0); } catch (AegirUnreadable $unreadable) {
    return aegir_plain($text) === $text ? $text : null;
  }
}

function aegir_mentioned($text) {
  global $aegir;
  foreach ($aegir['mentions'] as $one) if (stripos($text, $one) !== false) return true;
  return false;
}

function aegir_value($text, $depth) {
  if (!aegir_mentioned($text)) return $text;
  // As WordPress looks at what it reads: white space around is no part of it.
  $before = strspn($text, " \t\n\r\0\x0B");
  if (!preg_match('/\G(?:[aOC]:\+?[0-9]+:[{"]|[sS]:[0-9]+:"|E:[0-9]+:")/', $text, $_, 0, $before)) return aegir_plain($text);
  $at = $before;
  $out = substr($text, 0, $before);
  aegir_serialised($text, $at, $out, $depth);
  $rest = substr($text, $at);
  if (trim($rest) !== '') throw new AegirUnreadable();
  return $out . $rest;
}

function aegir_take($pattern, $text, &$at) {
  if (!preg_match('/\G' . $pattern . '/', $text, $found, 0, $at)) throw new AegirUnreadable();
  $at += strlen($found[0]);
  return $found;
}

/** The bytes between quotation marks that the length says. */
function aegir_quoted($text, &$at, $length) {
  if ($length > strlen($text) - $at || ($text[$at + $length] ?? '') !== '"') throw new AegirUnreadable();
  $bytes = substr($text, $at, $length);
  $at += $length + 1;
  return $bytes;
}

function aegir_string($text, &$at) {
  [, $kind, $length] = aegir_take('([sS]):\+?([0-9]{1,10}):"', $text, $at);
  if ($kind === 's') $bytes = aegir_quoted($text, $at, (int) $length);
  else {
    for ($bytes = '', $left = (int) $length; $left > 0; $left--) {
      [$one, $hex] = aegir_take('(?s:\\\\([0-9a-fA-F]{2})|[^\\\\])', $text, $at) + array('', '');
      $bytes .= $hex === '' ? $one : chr(hexdec($hex));
    }
    aegir_take('"', $text, $at);
  }
  aegir_take(';', $text, $at);
  return $bytes;
}

function aegir_written($bytes) { return 's:' . strlen($bytes) . ':"' . $bytes . '";'; }

/** Takes one value from where $at stands, and writes it anew. */
function aegir_serialised($text, &$at, &$out, $depth) {
  if ($depth > AEGIR_DEPTH) throw new AegirUnreadable();
  switch ($text[$at] ?? '') {
    case 'N': $out .= aegir_take('N;', $text, $at)[0]; return;
    case 'b': case 'i': case 'd': case 'r': case 'R':
      $out .= aegir_take('[bidrR]:[^;"{}]{1,400};', $text, $at)[0];
      return;
    case 's': case 'S':
      $out .= aegir_written(aegir_value(aegir_string($text, $at), $depth + 1));
      return;
    case 'E':
      [$head, $length] = aegir_take('E:([0-9]{1,10}):"', $text, $at);
      $out .= $head . aegir_quoted($text, $at, (int) $length) . '"' . aegir_take(';', $text, $at)[0];
      return;
    case 'a':
      [, $count] = aegir_take('a:\+?([0-9]{1,10}):\{', $text, $at);
      $out .= 'a:' . $count . ':{';
      aegir_array($text, $at, $out, (int) $count, $depth + 1);
      $out .= aegir_take('\}', $text, $at)[0];
      return;
    case 'O':
      [$head, $length] = aegir_take('O:\+?([0-9]{1,10}):"', $text, $at);
      $out .= $head . aegir_quoted($text, $at, (int) $length) . '"';
      [$open, $count] = aegir_take(':\+?([0-9]{1,10}):\{', $text, $at);
      $out .= $open;
      for ($left = (int) $count; $left > 0; $left--) {
        // Names of properties are the class's.
        if (($text[$at] ?? '') === 'i') $out .= aegir_take('i:[^;"{}]{1,40};', $text, $at)[0];
        else $out .= aegir_written(aegir_string($text, $at));
        aegir_serialised($text, $at, $out, $depth + 1);
      }
      $out .= aegir_take('\}', $text, $at)[0];
      return;
    case 'C':
      [$head, $length] = aegir_take('C:([0-9]{1,10}):"', $text, $at);
      $out .= $head . aegir_quoted($text, $at, (int) $length) . '"';
      [, $length] = aegir_take(':([0-9]{1,10}):\{', $text, $at);
      if ((int) $length > strlen($text) - $at) throw new AegirUnreadable();
      $data = aegir_own(substr($text, $at, (int) $length), $depth + 1);
      $at += (int) $length;
      $out .= ':' . strlen($data) . ':{' . $data . aegir_take('\}', $text, $at)[0];
      return;
    default: throw new AegirUnreadable();
  }
}

/** A key that would become one that is there stays as it is: no entry is lost. */
function aegir_array($text, &$at, &$out, $count, $depth) {
  $entries = array();
  $taken = array();
  $changes = false;
  for ($left = $count; $left > 0; $left--) {
    if (($text[$at] ?? '') === 'i') { $old = null; $key = aegir_take('i:[^;"{}]{1,40};', $text, $at)[0]; }
    else {
      $old = aegir_string($text, $at);
      $key = aegir_mentioned($old) ? aegir_plain($old) : $old;
      $taken['k' . $old] = true;
      $changes = $changes || $key !== $old;
    }
    $value = '';
    aegir_serialised($text, $at, $value, $depth);
    if ($old === null) $entries[] = array($key, null, $value);
    else $entries[] = array($old, $key, $value);
  }
  foreach ($entries as [$old, $key, $value]) {
    if ($key === null) { $out .= $old . $value; continue; }
    if ($changes && $key !== $old) {
      if (isset($taken['k' . $key])) $key = $old;
      $taken['k' . $key] = true;
    }
    $out .= aegir_written($key) . $value;
  }
}

/** What a class wrote of itself: a serialised value with many, else its own form, which is left alone. */
function aegir_own($data, $depth) {
  $rewritten = aegir_value($data, $depth);
  if ($rewritten !== $data && !preg_match('/^[aOsSCNbidE][:;]/', $data)) throw new AegirUnreadable();
  return $rewritten;
}
`;
