// A token has so many streams and no more; another token has its own.
import { expect, it } from 'vitest';
import { createStreams } from './streams.ts';

it('refuses a token more than its own, until it closes one', () => {
  const streams = createStreams(2);
  const close = streams.open('anne');
  streams.open('anne');
  expect(() => streams.open('anne')).toThrow(/follows 2 tasks or downloads already; end some/);
  streams.open('ben');
  close();
  close();
  streams.open('anne');
  expect(() => streams.open('anne')).toThrow(/follows 2/);
});
