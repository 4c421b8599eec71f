// Version 12: the highest user number that any site had. Until now the lowest free one was given, so it is at most the
// number of sites that were ever made; each was made by a task.
import type { Migration } from './migrations.ts';

const BEFORE_FIRST = 479_999;
const LAST = 524_287;

export const siteNumbers: Migration = {
  version: 12,
  name: 'site-numbers',
  up: () => [
    `insert into settings (id, value)
      select 'highest-site-uid', cast(case when made > ${LAST - BEFORE_FIRST} then ${LAST} else ${BEFORE_FIRST} + made end as text)
      from (
        select count(*) as made from tasks where verb in ('site.install', 'site.clone', 'backup.restore', 'backup.drill')
      ) as makers
      where made > 0 and exists (select 1 from services where engine = 'cluster')
      on conflict (id) do nothing`,
  ],
};
