// The snippet of an administrator in a site's configuration, for any http engine: where it stands, whom it is for, and
// which of its lines the web server means when it complains of the whole. Pure.
import { AegirError } from '../../../shared/error.ts';
import type { SnippetSpec } from '../../../shared/gen/aegir/v1/spec.ts';
import { checkedSnippet } from '../../../shared/snippet/snippet.ts';
import type { Complaint } from './config/complaint.ts';
import { SNIPPET_BEGIN } from './config/config-set.ts';

const END = '  # End of the snippet.\n';

/** As it stands in the site's block; '' without one. Throws failed_precondition for one in another server's words. */
export function snippetBlock(snippet: SnippetSpec | undefined, engine: string, site: string): string {
  if (snippet === undefined) return '';
  if (snippet.engine !== engine) {
    throw new AegirError(
      'failed_precondition',
      `cannot serve ${site}: its snippet is for ${snippet.engine}, and this is ${engine}; give one for ${engine}, or take ` +
        `it away: aegir site set ${site} --no-web-snippet`,
    );
  }
  return `${SNIPPET_BEGIN}${checkedSnippet(engine, snippet.text)}${END}`;
}

/** An error for people when the complaint is about a line of the snippet in content; undefined otherwise. */
export function snippetFault(
  content: string,
  block: string,
  complaint: Complaint,
  words: { readonly label: string; readonly site: string },
): AegirError | undefined {
  const { line, message } = complaint;
  if (block === '' || line === undefined) return undefined;
  const lines = block.split('\n').length - 3;
  for (let at = content.indexOf(block); at >= 0; at = content.indexOf(block, at + block.length)) {
    const begin = content.slice(0, at).split('\n').length;
    const within = line - begin;
    if (within < 1 || within > lines) continue;
    return new AegirError(
      'failed_precondition',
      `cannot serve ${words.site} with that snippet: line ${within}: ${words.label} says: ${message}; the old configuration ` +
        `stays in force; mend the line, or take the snippet away: aegir site set ${words.site} --no-web-snippet`,
    );
  }
  return undefined;
}
