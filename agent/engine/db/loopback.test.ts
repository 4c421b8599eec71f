import { describe, expect, it } from 'vitest';
import { isLoopback } from './loopback.ts';

describe('a loopback', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['localhost', true],
    ['::1', true],
    ['127.0.0.1,::1', true],
    ['127.0.0.1, 192.0.2.1', false],
    ['192.0.2.1', false],
    ['*', false],
    ['::', false],
    ['0.0.0.0', false],
    ['', false],
    ['127.example.org', false],
  ])('%j: %s', (bind, is) => expect(isLoopback(bind)).toBe(is));
});
