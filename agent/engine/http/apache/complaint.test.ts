// What Apache says, as we read it; the texts are Apache's own.
import { expect, it } from 'vitest';
import { readApacheTest } from './complaint.ts';

const UNNAMED =
  "AH00558: apache2: Could not reliably determine the server's fully qualified domain name, using 127.0.0.1. " +
  "Set the 'ServerName' directive globally to suppress this message";
const ZZ = '/etc/apache2/sites-enabled/zz.conf';
const AROUND = `apache2: Syntax error on line 225 of /etc/apache2/apache2.conf: Syntax error on line 1 of ${ZZ}:`;

it.each([
  [
    `${UNNAMED}\nAH00526: Syntax error on line 2 of ${ZZ}:\nInvalid command 'nonsense', perhaps misspelled`,
    { message: "Invalid command 'nonsense', perhaps misspelled", file: ZZ, line: 2 },
  ],
  [`${AROUND} ${ZZ}:1: <VirtualHost> was not closed.`, { message: '<VirtualHost> was not closed.', file: ZZ, line: 1 }],
  [
    `${AROUND} Could not open configuration file /none.conf: No such file or directory`,
    { message: 'Could not open configuration file /none.conf: No such file or directory', file: ZZ, line: 1 },
  ],
  [
    `${UNNAMED}\n(2)No such file or directory: AH02291: Cannot access directory '/none/' for error log of vhost defined at ${ZZ}:1\nAH00014: Configuration check failed`,
    {
      message: `Cannot access directory '/none/' for error log of vhost defined at ${ZZ}:1`,
      file: ZZ,
      line: 1,
    },
  ],
  [
    '(98)Address already in use: AH00072: make_sock: could not bind to address 127.0.0.1:80\nAH00014: x',
    { message: 'make_sock: could not bind to address 127.0.0.1:80', file: undefined, line: undefined },
  ],
  ['Killed', { message: 'Killed', file: undefined, line: undefined }],
  [UNNAMED, { message: 'it ended with code 1', file: undefined, line: undefined }],
])('finds the cause in %j', (output, complaint) => {
  expect(readApacheTest(1, output)).toEqual({ complaint, warnings: [] });
});

it('takes what it says of a sound configuration as warnings, but for its missing name', () => {
  const output = `AH00112: Warning: DocumentRoot [/none] does not exist
[Mon Nov 23 15:22:01.924167 2026] [core:error] [pid 18477:tid 18477] (EAI 2)Name or service not known: AH00547: Could not resolve host name nohost.invalid -- ignoring!
${UNNAMED}
Syntax OK`;
  expect(readApacheTest(0, output)).toEqual({
    complaint: undefined,
    warnings: [
      'Warning: DocumentRoot [/none] does not exist',
      'Could not resolve host name nohost.invalid -- ignoring!',
    ],
  });
});
