// aegir: the command line. Wires the process to the program.
import { VERSION } from '../../shared/version.ts';
import { createProgram, runProgram } from './program.ts';
import { createCli } from './session.ts';

const cli = createCli(process.env, process.stdin, process.stdout, process.stderr);
// A reader that went away (head) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
// Not top-level await: the binary is one CommonJS file.
void runProgram(createProgram(cli, VERSION), process.argv.slice(2), process.stderr).then((code) => {
  process.exitCode = code;
});
