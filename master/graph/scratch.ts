// Sites that a restore drill makes and takes away again. Pure.
import { idBody } from '../../shared/id.ts';
import type { SiteRecord } from '../store/model.ts';

/** Made of an id that nothing else has, under a top level that resolves nowhere (RFC 2606). */
export function scratchName(siteId: string): string {
  return `drill-${idBody(siteId)}.aegir.invalid`;
}

/** Whether nobody but a drill has it: it goes by itself. */
export function isScratch({ id, name }: Pick<SiteRecord, 'id' | 'name'>): boolean {
  return name === scratchName(id);
}
