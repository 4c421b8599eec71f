// Plans of what is done at once and makes no task: a change of the graph, as people see it before.
import type { Plan } from '../../shared/gen/aegir/v1/admin.ts';

/** summary: one sentence. undo: the command that takes it back; '' where there is none, for the reason why. */
export interface AtOnce {
  readonly kind: string;
  readonly summary: string;
  readonly undo?: string;
  readonly why?: string;
}

export function planAtOnce(
  verb: string,
  summary: string,
  steps: readonly AtOnce[],
  warnings: readonly string[] = [],
): Plan {
  return {
    ...{ verb, summary, warnings: [...warnings], pointOfNoReturn: undefined },
    steps: steps.map(({ kind, summary: text, undo = '', why = '' }) => ({
      ...{ kind, summary: text, server: '', undo, noUndoReason: why },
      ...{ changes: [], previewNote: '', refused: false },
    })),
  };
}
