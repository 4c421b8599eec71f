import { describe, expect, test } from 'vitest';
import { createRedactor, oneLine } from './redact.ts';
import { dbSpec, PASSWORD, SALT, siteSpec } from './testing/requests.ts';

describe('redactor', () => {
  test('masks the secret fields of specs, however deep, in every form that programs print', () => {
    const { redact } = createRedactor({ site: siteSpec(), list: [{ spec: dbSpec() }] });
    const forms = [
      PASSWORD,
      SALT,
      encodeURIComponent(PASSWORD),
      JSON.stringify({ p: PASSWORD }),
      `IDENTIFIED BY '${PASSWORD.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`,
      `IDENTIFIED BY '${PASSWORD.replaceAll("'", "''")}'`,
      Buffer.from(PASSWORD).toString('base64'),
      `mysql://user:${PASSWORD}@host/${SALT}`,
    ];
    for (const form of forms) {
      const text = redact(`before ${form} after`);
      expect(text, form).toContain('[secret]');
      expect(text).not.toContain(PASSWORD);
      expect(text).not.toContain(SALT);
      expect(text, form).not.toMatch(/pass.{0,3}word/);
      expect(text.startsWith('before ') && text.endsWith(' after')).toBe(true);
    }
  });

  test('learns secrets while running and leaves everything else alone', () => {
    const redactor = createRedactor({ title: 'no secret', token: 1, at: new Date(), nothing: null });
    expect(redactor.redact('http://example.org/login/abc123')).toBe('http://example.org/login/abc123');
    redactor.add('http://example.org/login/abc123');
    expect(redactor.redact('see http://example.org/login/abc123 now')).toBe('see [secret] now');
    redactor.add('');
    redactor.add('a');
    expect(redactor.redact('a banana')).toBe('a banana');
  });

  test('a secret that is part of another one leaves no rest', () => {
    const redactor = createRedactor({ password: 'short-one' });
    redactor.add('short-one-and-longer');
    expect(redactor.redact('x short-one-and-longer y')).toBe('x [secret] y');
  });
});

test('one line, bounded, without control characters', () => {
  expect(oneLine('a\nb\u001b[31mc\r\n', 100)).toBe('a b [31mc');
  expect(oneLine('x'.repeat(50), 10)).toBe(`${'x'.repeat(9)}…`);
});
