// The base configuration of an embedded server's PostgreSQL: durable, and small in memory. Pure.

export interface PostgresqlLayout {
  readonly data: string;
  readonly run: string;
  readonly hba: string;
  readonly ident: string;
  readonly includeDir: string;
  readonly address: string;
  readonly port: number;
}

export function renderPostgresqlConf(layout: PostgresqlLayout): string {
  return `# Made by Aegir at every start; changes are lost. What engines add is in ${layout.includeDir}.
data_directory = '${layout.data}'
hba_file = '${layout.hba}'
ident_file = '${layout.ident}'
listen_addresses = '${layout.address}'
port = ${layout.port}
unix_socket_directories = '${layout.run}'
max_connections = 60
shared_buffers = 24MB
dynamic_shared_memory_type = posix
fsync = on
synchronous_commit = on
full_page_writes = on
min_wal_size = 8MB
max_wal_size = 64MB
max_worker_processes = 2
max_parallel_workers = 0
max_parallel_workers_per_gather = 0
max_wal_senders = 0
wal_level = replica
password_encryption = scram-sha-256
log_line_prefix = '%m [%p] '
log_timezone = 'UTC'
timezone = 'UTC'
lc_messages = 'C'
include_dir = '${layout.includeDir}'
`;
}

/** Who may log in before any site is there: the run user, by its socket. Engines add to it. */
export function renderHba(user: string): string {
  return `# Made by Aegir once; the lines of sites are kept by its engine.
local all ${user} peer
`;
}
