// The base configuration of an embedded server's MariaDB: durable, and small in memory. Pure.

export interface MariadbLayout {
  readonly data: string;
  readonly temporary: string;
  readonly exports: string;
  readonly run: string;
  readonly socket: string;
  readonly includeDir: string;
  readonly address: string;
  readonly port: number;
}

export function renderMariadbConf(layout: MariadbLayout): string {
  return `# Made by Aegir at every start; changes are lost. What engines add is in ${layout.includeDir}.
[client]
socket = ${layout.socket}
default-character-set = utf8mb4

[mariadbd]
datadir = ${layout.data}
tmpdir = ${layout.temporary}
secure-file-priv = ${layout.exports}
pid-file = ${layout.run}/mariadb.pid
socket = ${layout.socket}
bind-address = ${layout.address}
port = ${layout.port}
skip-name-resolve
local-infile = 0
symbolic-links = 0
character-set-server = utf8mb4
collation-server = utf8mb4_unicode_ci
max_allowed_packet = 64M
max_connections = 60
thread_cache_size = 4
table_open_cache = 400
performance_schema = OFF
key_buffer_size = 1M
aria_pagecache_buffer_size = 4M
query_cache_type = OFF
query_cache_size = 0
innodb_flush_log_at_trx_commit = 1
innodb_doublewrite = ON
innodb_buffer_pool_size = 48M
innodb_log_file_size = 24M
innodb_log_buffer_size = 2M
innodb_buffer_pool_dump_at_shutdown = OFF
innodb_buffer_pool_load_at_startup = OFF
# Asynchronous I/O of the kernel is a machine-wide budget that several servers side by side use up.
innodb_use_native_aio = OFF

!includedir ${layout.includeDir}
`;
}
