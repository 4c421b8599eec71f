// What is said where a certificate authority would be asked and nobody has agreed to its terms. A person does it, in a file.
import { AegirError } from './error.ts';

/** doing: for example "get a certificate for www.example.org". file: the configuration of the master. */
export function termsNotAgreed(doing: string, file: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot ${doing}: the terms of the authority are not agreed to; read them, say ` +
      `"acme": { "termsOfServiceAgreed": true, "contact": "you@example.org" } in ${file}, and start the master again`,
  );
}
