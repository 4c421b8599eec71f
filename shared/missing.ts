// What is said of a daemon that a server does not have.

/** missing: on a host of its own, with what to install. Small servers of `npm run up` take up nothing of the machine's. */
export function whyMissing({ kind }: { readonly kind: string }, missing: string): string {
  return kind === 'embedded'
    ? 'this server of `npm run up` has none; join a server with one (see: aegir server join-command)'
    : missing;
}
