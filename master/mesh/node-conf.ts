// The configuration of a mesh node: nats-server with mutual TLS and decentralised JWTs. Pure.

export interface NodeConf {
  readonly name: string;
  /** host:port to listen on. */
  readonly listen: string;
  readonly pidFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caFile: string;
  readonly jwtDir: string;
  readonly operatorJwt: string;
  readonly systemAccount: string;
  /** Accounts by public key, for the first start before any update was pushed. */
  readonly accounts: Readonly<Record<string, string>>;
}

/** nats-server's own format (docs.nats.io, "Configuration"); strings are JSON-quoted, which its parser reads alike. */
export function renderNodeConf(conf: NodeConf): string {
  const quote = JSON.stringify;
  const preload = Object.entries(conf.accounts).map(([key, jwt]) => `  ${key}: ${jwt}`);
  return `# Written by Aegir's master; changes by hand are lost.
server_name: ${quote(conf.name)}
listen: ${quote(conf.listen)}
pid_file: ${quote(conf.pidFile)}
max_payload: 1048576
max_pending: 67108864
write_deadline: "10s"
ping_interval: "20s"
ping_max: 2
lame_duck_duration: "30s"
lame_duck_grace_period: "1s"
tls {
  cert_file: ${quote(conf.certFile)}
  key_file: ${quote(conf.keyFile)}
  ca_file: ${quote(conf.caFile)}
  verify: true
  timeout: 5
}
operator: ${conf.operatorJwt}
system_account: ${conf.systemAccount}
resolver {
  type: full
  dir: ${quote(conf.jwtDir)}
  allow_delete: false
  interval: "2m"
}
resolver_preload {
${preload.join('\n')}
}
`;
}
