// Hashes are of the one form, salted, and what crypt(3) makes of the password.
import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { isPasswordHash } from '../../shared/http-auth.ts';
import { hashPassword } from './password-hash.ts';

it.each(['correct horse', 'with "quotes" and $dollars', 'ümläut-パスワード'])('%s', async (password) => {
  const [one, two] = await Promise.all([hashPassword(password), hashPassword(password)]);
  expect([one, two].map(isPasswordHash)).toEqual([true, true]);
  expect(one).not.toBe(two);
  const salt = one.split('$')[2] ?? '';
  const again = execFileSync('openssl', ['passwd', '-6', '-salt', salt, '-stdin'], { input: `${password}\n` });
  expect(again.toString().trim()).toBe(one);
});
