// What a new site runs on and whose it is, as named, or where there is one only. All that is missing is said at once.
import { AegirError } from '../../shared/error.ts';
import { APPS, type AppName, canUseDb } from '../../shared/vocabulary.ts';
import type { Graph } from '../graph/graph.ts';
import { onlyOne } from '../graph/only-one.ts';
import { chooseDb } from '../graph/rules.ts';
import type { ClientRecord, PlatformRecord, ServiceRecord } from '../store/model.ts';

/** Names, or ids; '' for none. */
export interface Wish {
  readonly platform: string;
  readonly db: string;
  readonly client: string;
}

export interface Choice {
  readonly platform: PlatformRecord;
  /** undefined where the app has none. */
  readonly db: ServiceRecord | undefined;
  readonly client: ClientRecord | undefined;
}

/** Throws one error that tells of each that cannot be chosen. */
export function chooseFor(graph: Graph, wish: Wish, name: string): Choice {
  const wrong: AegirError[] = [];
  const attempt = <T>(choose: () => T): T | undefined => {
    try {
      return choose();
    } catch (thrown) {
      if (!(thrown instanceof AegirError)) throw thrown;
      wrong.push(thrown);
      return undefined;
    }
  };
  const platform = attempt(() => choosePlatform(graph, wish.platform));
  const db = attempt(() =>
    platform === undefined ? anyDb(graph, wish.db, name) : dbFor(graph, platform, wish.db, name),
  );
  const client = attempt(() => (wish.client === '' ? undefined : graph.client(wish.client)));
  const [first, ...more] = wrong;
  if (first !== undefined && more.length > 0) {
    throw new AegirError(first.code, wrong.map(({ message }) => message).join('; '));
  }
  if (first !== undefined) throw first;
  if (platform === undefined) throw new AegirError('internal', `cannot choose what ${name} runs on`);
  return { platform, db, client };
}

function choosePlatform(graph: Graph, ref: string): PlatformRecord {
  if (ref !== '') return graph.platform(ref);
  const [only] = graph.platforms;
  if (only !== undefined && graph.platforms.length === 1) return only;
  throw new AegirError(
    'failed_precondition',
    only === undefined
      ? 'cannot choose a platform: there is none yet; see: aegir platform add --help'
      : `cannot choose a platform: there are several; name one of ${graph.platforms.map((platform) => platform.name).join(', ')} by --platform`,
  );
}

function dbFor(graph: Graph, { app }: PlatformRecord, ref: string, name: string): ServiceRecord | undefined {
  const wants = app === '' ? 'none' : APPS[app].db;
  if (app === '' || wants === 'none' || (wants === 'optional' && ref === '')) return undefined;
  return chooseDb(graph, ref, app, `site ${name}`);
}

/** Before it is known which platform: what each of those that there are would ask for, too. */
function anyDb(graph: Graph, ref: string, name: string): ServiceRecord | undefined {
  if (ref !== '') return graph.service(ref, 'db');
  const apps = graph.platforms.flatMap(({ app }): AppName[] => (app === '' ? [] : [app]));
  if (apps.length === 0 || !apps.every((app) => APPS[app].db === 'required')) return undefined;
  const fitting = graph.enabled('db').filter(({ engine }) => apps.some((app) => canUseDb(app, engine)));
  return onlyOne(graph, fitting, { type: 'db', what: `site ${name}`, how: 'by --db' });
}
