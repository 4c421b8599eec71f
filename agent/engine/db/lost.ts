// What a db engine says of a database that should hold a site's content and is gone.
import { AegirError } from '../../../shared/error.ts';

/** For a database that was looked for and is missing; where: what people call the daemon, for example MariaDB. */
export function lostDatabase(database: string, where: string): AegirError {
  return new AegirError(
    'failed_precondition',
    `cannot bring back database ${database}: it is missing in ${where}, and the content of the site with it; ` +
      'put a dump of it back under that name and verify the site, or delete the site',
    { untouched: true },
  );
}
