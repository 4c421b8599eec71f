// The service that nobody has to name, because there is one that will do. Pure.
import { AegirError } from '../../shared/error.ts';
import type { ServiceType } from '../../shared/vocabulary.ts';
import { withArticle } from '../../shared/words.ts';
import type { ServiceRecord } from '../store/model.ts';
import type { Graph } from './graph.ts';

export interface ChoiceWords {
  readonly type: ServiceType;
  /** What it is for, for example "zone example.org". */
  readonly what: string;
  /** Why there is none, and what to do. */
  readonly none?: string;
  /** How one is named, after the names of all. */
  readonly how?: string;
}

/** Throws failed_precondition when there is none, or several, which it names. */
export function onlyOne(
  graph: Graph,
  candidates: readonly ServiceRecord[],
  { type, what, none = 'none is enabled; see: aegir service list', how = '' }: ChoiceWords,
): ServiceRecord {
  const [only] = candidates;
  if (only !== undefined && candidates.length === 1) return only;
  const names = candidates.map((service) => graph.serviceName(service)).join(', ');
  const why = only === undefined ? none : `there are several; name one of ${names}${how === '' ? '' : ` ${how}`}`;
  throw new AegirError('failed_precondition', `cannot choose ${withArticle(type)} service for ${what}: ${why}`);
}
