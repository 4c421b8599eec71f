// What a snippet for Apache may say: directives and sections that change how a site answers, and none that opens a file as
// root, runs or writes what is not the site's, reaches a socket of another site, or is Aegir's to say. Pure.
import type { Refuse } from './snippet.ts';

const SECTIONS =
  /^(?:if|elseif|else|ifmodule|ifversion|ifdirective|location|locationmatch|files|filesmatch|limit|limitexcept|require(?:any|all|none))$/i;

/** Each changes answers alone. What is new in Apache is refused until somebody has looked at it. */
const ALLOWED = new RegExp(
  `^(?:${[
    'header|requestheader|setenv|unsetenv|setenvif|setenvifnocase|setenvifexpr|browsermatch|browsermatchnocase',
    'redirect|redirectmatch|redirectpermanent|redirecttemp|rewriterule|rewritecond|rewriteoptions|errordocument',
    'expires(?:active|bytype|default)|fileetag|addtype|addcharset|adddefaultcharset|addlanguage|addencoding|defaultlanguage',
    'languagepriority|forcelanguagepriority|removetype|removecharset|removelanguage|removeencoding|forcetype',
    'addoutputfilterbytype|deflate(?:compressionlevel|buffersize|memlevel|windowsize|filternote|inflatelimitrequestbody)',
    'brotli(?:compressionquality|compressionwindow|filternote)|directoryindex|directoryslash|fallbackresource|options',
    'indexoptions|indexignore|indexorderdefault|limitrequestbody|limitrequestfields|limitrequestfieldsize|limitrequestline',
    'limitxmlrequestbody|require|authtype|authname|authmerging|satisfy|order|allow|deny|keepalive|keepalivetimeout',
    'maxkeepaliverequests|maxranges|maxrangeoverlaps|maxrangereversals|requestreadtimeout|timeout|acceptpathinfo|mergeslashes',
    'contentdigest|substitute|substituteinheritbefore|substitutemaxlinelength|serversignature|traceenable',
    'proxypass|proxypassmatch|proxypassreverse|proxypassreversecookiedomain|proxypassreversecookiepath|proxypreservehost',
    'proxytimeout|proxyaddheaders|proxyerroroverride|proxyvia|allowencodedslashes|modmimeusepathinfo',
  ].join('|')})$`,
  'i',
);

/** section: it opens or closes one. line: as it stands, without space around it. */
export function checkApacheDirective(name: string, section: boolean, line: string, at: number, refuse: Refuse): void {
  if (section ? !SECTIONS.test(name) : !ALLOWED.test(name)) {
    refuse(at, `"${name}" is not for snippets, which only change how the site answers`);
  }
  // Read before anything else: it may stand for any of the words below.
  if (line.includes('${')) refuse(at, '"${" is not for snippets');
  if (/\bunix:/i.test(line)) refuse(at, 'a socket ("unix:") is not for snippets');
  if (/(?:%\{\s*|\b)file(?:size|mod)?\s*[:(]/i.test(line)) refuse(at, 'the content of a file is not for snippets');
  // As variables of FastCGI they set what PHP may do.
  if (/php_(?:admin_)?value/i.test(line)) refuse(at, 'settings of PHP are not for snippets');
  if (section) return;
  const values = line.slice(name.length).trim();
  if (/^options$/i.test(name) && !/^(?:[+-]?(?:indexes|multiviews)(?:\s+|$))+$/i.test(values)) {
    refuse(at, `"${name}" may say Indexes and MultiViews`);
  }
  if (/^rewriterule$/i.test(name)) checkRewrite(values, at, refuse);
  if (/^proxypass(?:match)?$/i.test(name) && !values.split(/\s+/).some(isAddressOrNone)) {
    refuse(at, `"${name}" needs http://HOST or https://HOST, with a host that is no variable`);
  }
  if (/^addtype$|^forcetype$/i.test(name) && /httpd-(?:cgi|php)|server-(?:status|info|parsed)/i.test(values)) {
    refuse(at, `"${name}" may not lead to a handler`);
  }
}

function isAddressOrNone(word: string): boolean {
  return word === '!' || /^["']?https?:\/\/[A-Za-z0-9.:[\]-]+(?:[/?].*)?$/i.test(word);
}

/** Apache takes what a rule makes of a path for a path of the file system first: [PT] has it taken for one of the site. */
function checkRewrite(values: string, at: number, refuse: Refuse): void {
  const words = values.match(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\S+/g) ?? [];
  const [, target = '', given = ''] = words.map((word) => word.replace(/^(["'])(.*)\1$/s, '$2'));
  const flags = given
    .replace(/^\[|\]$/g, '')
    .split(',')
    .map((flag) => flag.trim());
  const has = (pattern: RegExp) => flags.some((flag) => pattern.test(flag));
  if (has(/^(?:h|handler)=/i)) refuse(at, 'a handler is not for snippets');
  if (has(/^(?:e|env)=!?[^:]*[$%]/i)) refuse(at, 'a variable whose name is not known is not for snippets');
  const proxied = has(/^(?:p|proxy)$/i);
  if (proxied && !isAddressOrNone(target)) {
    refuse(at, '[P] needs http://HOST or https://HOST, with a host that is no variable');
  }
  const leads = has(/^(?:r|redirect)(?:=|$)|^(?:f|forbidden|g|gone|pt|passthrough)$/i);
  if (target === '-' || proxied || leads || /^https?:\/\//i.test(target)) return;
  refuse(at, `"${target}" needs the flag [PT], so that it is taken for a path of the site`);
}
