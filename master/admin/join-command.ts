// The one line that makes a host join: fetches the agent, checks it against its digest, enrols with token and pin.

export interface JoinCommandFacts {
  /** host:port of the web listener and of the enrol listener, as new hosts reach them. */
  readonly web: string;
  readonly enrol: string;
  readonly caPin: string;
  /** Name and SHA-256 of the archive that the web listener offers; undefined when there is none. */
  readonly archive: { readonly name: string; readonly digest: string } | undefined;
}

/**
 * Safe without a trusted certificate on the web listener (-k): the line itself carries the digest of what it fetches,
 * and the agent checks the pin before it shows the token. The token stands in the environment, not in an argument vector.
 */
export function joinCommand(facts: JoinCommandFacts, token: string): string {
  const join = `--master ${facts.enrol} --ca-pin ${facts.caPin}`;
  if (facts.archive === undefined) return `AEGIR_JOIN_TOKEN=${token} aegir-agent install ${join}`;
  const { name, digest } = facts.archive;
  const steps = [
    'd=$(mktemp -d)',
    `trap 'rm -rf "$d"' EXIT`,
    `curl -fsSk -o $d/agent.tar.gz https://${facts.web}/agent/${name}`,
    `echo "${digest}  $d/agent.tar.gz" | sha256sum --check --quiet`,
    'tar -xzf $d/agent.tar.gz -C $d',
    `AEGIR_JOIN_TOKEN=${token} $d/aegir-agent install ${join}`,
  ];
  // In a shell of its own, whose trap takes away what was fetched, however it ends.
  return `(${steps.join(' && ')})`;
}
