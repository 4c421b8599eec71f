// Drupal's own codes for languages from locales as systems write them. Pure.

/** Languages whose code has a region or script in Drupal; of all others the region is left out. */
const WITH_REGION = new Set(['pt-br', 'pt-pt', 'zh-hans', 'zh-hant', 'gsw-berne', 'en-x-simple', 'xx-lolspeak']);
const CHINESE: Readonly<Record<string, string>> = {
  'zh-tw': 'zh-hant',
  'zh-hk': 'zh-hant',
  'zh-mo': 'zh-hant',
  zh: 'zh-hans',
};

/** de_AT.UTF-8 is de, pt_BR is pt-br, nothing is en. */
export function drupalLangcode(locale: string): string {
  const code = locale
    .replace(/[.@].*$/, '')
    .replaceAll('_', '-')
    .toLowerCase();
  if (code === '') return 'en';
  if (WITH_REGION.has(code)) return code;
  if (CHINESE[code] !== undefined) return CHINESE[code];
  const language = code.split('-')[0] ?? 'en';
  if (language === 'zh') return 'zh-hans';
  if (language === 'pt') return 'pt-pt';
  return language;
}
