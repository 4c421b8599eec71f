// Headers of a request or an answer as they go on to the other side: all but those that are about this connection (RFC
// 9110 section 7.6.1). Raw: names keep their letters, and what stands there twice stays so. Pure.

const OF_THE_CONNECTION = ['connection', 'keep-alive', 'proxy-connection', 'te', 'transfer-encoding', 'upgrade'];

/** raw: names and values in turn. besides: more names, in lower case, that stay behind. */
export function endToEnd(raw: readonly string[], besides: readonly string[] = []): string[] {
  const behind = new Set([...OF_THE_CONNECTION, ...namedByConnection(raw), ...besides]);
  const kept: string[] = [];
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    if (!behind.has(name.toLowerCase())) kept.push(name, value);
  }
  return kept;
}

function namedByConnection(raw: readonly string[]): readonly string[] {
  return raw.flatMap((name, at) =>
    at % 2 === 0 && name.toLowerCase() === 'connection'
      ? (raw[at + 1] ?? '').split(',').map((word) => word.trim().toLowerCase())
      : [],
  );
}

export function headerOf(raw: readonly string[], wanted: string): string | undefined {
  const at = raw.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === wanted);
  return at < 0 ? undefined : raw[at + 1];
}
