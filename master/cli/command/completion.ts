// aegir completion SHELL: nouns, verbs and options, made from the commands themselves, and names from the master.
import type { Command } from 'commander';
import { AegirError } from '../../../shared/error.ts';
import { type NameKind, nameAfter, namesOf } from '../complete-names.ts';
import { contextsPath, readContexts } from '../context.ts';
import { FORMATS } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const PATIENCE_MS = 1500;
/** Names come from servers that nobody has accepted yet, and shells give many characters a meaning. */
const PLAIN = /^[\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}_.:/@+-]*$/u;

/** Words that may follow a list of words: subcommands and options of the command they name. */
export function wordsAfter(program: Command, words: readonly string[]): string[] {
  if (['-o', '--output'].includes(words.at(-1) ?? '')) return [...FORMATS];
  let command = program;
  for (const word of words) command = command.commands.find((sub) => sub.name() === word) ?? command;
  const options = [...command.options, ...program.options]
    .map((option) => option.long ?? '')
    .filter((name) => name !== '');
  return [
    ...new Set([...command.commands.filter((sub) => !sub.name().startsWith('_')).map((sub) => sub.name()), ...options]),
  ].sort();
}

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_aegir() {
  local word current="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r word; do
    if [[ "$word" == "$current"* ]]; then COMPREPLY+=("$(printf %q "$word")"); fi
  done < <(aegir __words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)
}
complete -F _aegir aegir
`,
  zsh: `#compdef aegir
_aegir() { compadd -- \${(f)"$(aegir __words -- \${words[2,CURRENT-1]} 2>/dev/null)"} }
compdef _aegir aegir
`,
  fish: `complete -c aegir -f -a '(aegir __words -- (commandline -opc)[2..-1] 2>/dev/null)'
`,
};

export function completionCommand(cli: Cli, program: Command): void {
  program
    .command('completion <shell>')
    .description('print the completion script for bash, zsh or fish')
    .action((shell: string, _, command: Command) => {
      const script = SCRIPTS[shell];
      if (script === undefined)
        throw new AegirError(
          'invalid_argument',
          `cannot complete in ${JSON.stringify(shell)}: there are ${Object.keys(SCRIPTS).join(', ')}`,
        );
      cli.out(command.optsWithGlobals<GlobalOptions>()).stdout.write(script);
    });
  program.command('__words [words...]', { hidden: true }).action(async (words: string[], _, command: Command) => {
    const flags = command.optsWithGlobals<GlobalOptions>();
    const kind = nameAfter(program, words);
    const names = kind === undefined ? [] : await knownNames(cli, flags, kind);
    const harmless = names.filter((name) => PLAIN.test(name));
    cli.out(flags).stdout.write(`${[...harmless, ...wordsAfter(program, words)].join('\n')}\n`);
  });
}

/** Somebody waits with a key pressed: what cannot be told at once is not told. */
async function knownNames(cli: Cli, flags: GlobalOptions, kind: NameKind): Promise<readonly string[]> {
  try {
    if (kind === 'context') return Object.keys(readContexts(contextsPath(cli.env)).contexts);
    return await cli.connected(flags, (link) =>
      Promise.race([
        namesOf(link, kind),
        new Promise<readonly string[]>((resolve) => setTimeout(resolve, PATIENCE_MS, []).unref()),
      ]),
    );
  } catch {
    return [];
  }
}
