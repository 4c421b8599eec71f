// Version 1: the service graph, who may come in, secrets and settings.
import type { Migration } from './migrations.ts';

export const graph: Migration = {
  version: 1,
  name: 'graph',
  up: ({ text, integer }) => [
    `create table servers (
      id ${text} primary key,
      name ${text} not null,
      state ${text} not null,
      facts ${text} not null,
      auto_enable ${text} not null,
      enrolled_at ${integer} not null,
      last_seen_at ${integer},
      certificate_expires_at ${integer} not null,
      mesh_key ${text}
    )`,
    `create unique index servers_name on servers (name) where state <> 'revoked'`,

    `create table certificates (
      id ${text} primary key,
      server_id ${text} not null,
      not_after ${integer} not null,
      revoked_at ${integer}
    )`,
    'create index certificates_server on certificates (server_id)',

    `create table services (
      id ${text} primary key,
      server_id ${text} not null references servers (id),
      type ${text} not null,
      engine ${text} not null,
      instance ${text} not null,
      state ${text} not null,
      state_before ${text} not null,
      detected ${text} not null
    )`,
    'create unique index services_place on services (server_id, type, engine, instance)',

    `create table platforms (
      id ${text} primary key,
      name ${text} not null,
      app ${text} not null,
      service_id ${text} not null references services (id),
      root ${text} not null,
      state ${text} not null,
      facts ${text}
    )`,
    'create unique index platforms_name on platforms (name)',
    'create index platforms_service on platforms (service_id)',

    `create table clients (
      id ${text} primary key,
      name ${text} not null,
      mail ${text} not null
    )`,
    'create unique index clients_name on clients (name)',

    `create table sites (
      id ${text} primary key,
      name ${text} not null,
      aliases ${text} not null,
      state ${text} not null,
      platform_id ${text} not null references platforms (id),
      bindings ${text} not null,
      client_id ${text} references clients (id),
      title ${text} not null,
      locale ${text} not null,
      profile ${text} not null,
      admin_name ${text} not null,
      admin_mail ${text} not null,
      database ${text} not null,
      db_user ${text} not null,
      db_password_secret ${text},
      salt_secret ${text} not null,
      created_at ${integer} not null
    )`,
    'create index sites_platform on sites (platform_id)',
    'create index sites_client on sites (client_id)',

    `create table site_names (
      name ${text} primary key,
      site_id ${text} not null references sites (id) on delete cascade
    )`,
    'create index site_names_site on site_names (site_id)',

    `create table tokens (
      id ${text} primary key,
      kind ${text} not null,
      hash ${text} not null,
      description ${text} not null,
      role ${text} not null,
      uses_left ${integer} not null,
      expires_at ${integer},
      created_at ${integer} not null,
      revoked_at ${integer},
      auto_accept ${integer} not null,
      auto_enable ${text} not null
    )`,
    'create unique index tokens_hash on tokens (hash)',

    `create table secrets (id ${text} primary key, sealed ${text} not null)`,
    `create table settings (id ${text} primary key, value ${text} not null)`,
  ],
};
