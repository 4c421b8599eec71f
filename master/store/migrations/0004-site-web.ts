// Version 4: how sites are served: HTTPS, redirects, certificates, and what is under way with a certificate authority.
import type { Migration } from './migrations.ts';

const PHP = '{"version":"","children":0,"memoryBytes":0,"bodyBytes":0,"seconds":0}';
const OFF = `{"https":"off","redirect":false,"hstsSeconds":0,"redirectTo":"","php":${PHP}}`;

export const siteWeb: Migration = {
  version: 4,
  name: 'site-web',
  up: ({ text }) => [
    `alter table sites add column web ${text} not null default '${OFF}'`,
    `alter table sites add column certificate ${text}`,
    `alter table sites add column issuing ${text}`,
  ],
};
