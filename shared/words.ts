// Words before names and after numbers, as people write them.

/** "a db", "an http", "an MX": words of capitals, and http, are spelled when they are said. */
export function withArticle(word: string): string {
  const spelled = word === 'http' || /^[A-Z0-9]+$/.test(word);
  const vowel = spelled ? /^[AEFHILMNORSX]/i : /^[aeiou]/i;
  return `${vowel.test(word) ? 'an' : 'a'} ${word}`;
}

/** "1 request", "2 requests". Of words that take an s. */
export function counted(count: number | bigint, word: string): string {
  return `${count} ${word}${Number(count) === 1 ? '' : 's'}`;
}
