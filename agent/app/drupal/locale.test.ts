import { expect, test } from 'vitest';
import { drupalLangcode } from './locale.ts';

test.each([
  ['', 'en'],
  ['en_US', 'en'],
  ['de', 'de'],
  ['de_AT.UTF-8', 'de'],
  ['ca_ES@valencia', 'ca'],
  ['pt_BR', 'pt-br'],
  ['pt', 'pt-pt'],
  ['zh_CN', 'zh-hans'],
  ['zh-TW', 'zh-hant'],
  ['zh', 'zh-hans'],
  ['zh-hant', 'zh-hant'],
  ['nb_NO', 'nb'],
])('%s is %s', (locale, code) => {
  expect(drupalLangcode(locale)).toBe(code);
});
