// The mesh's keys are Ed25519 as RFC 8032 says, and as other programs of NATS read them.
import { getEd25519Helper } from 'nkeys.js/lib/helper.js';
import { expect, test } from 'vitest';
import { createUser, fromPublic, fromSeed } from './nkeys.ts';

const bytes = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

/** RFC 8032 section 7.1: seed, public key, message, signature. */
const VECTORS = [
  [
    '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    '',
    'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  ],
  [
    'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7',
    'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    'af82',
    '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
  ],
] as const;

test.each(VECTORS)('signs as RFC 8032 does: %s', (seed, publicKey, message, signature) => {
  const { fromSeed: pairOf, sign, verify } = getEd25519Helper();
  const pair = pairOf(bytes(seed));
  expect(pair).toEqual({ publicKey: bytes(publicKey), secretKey: bytes(seed + publicKey) });
  expect(sign(bytes(message), pair.secretKey)).toEqual(bytes(signature));
  expect(verify(bytes(message), bytes(signature), bytes(publicKey))).toBe(true);
  expect(verify(bytes(`${message}00`), bytes(signature), bytes(publicKey))).toBe(false);
  expect(verify(bytes(message), bytes(signature.slice(2)), bytes(publicKey))).toBe(false);
});

test('a key is what its seed and its public half say; one that is cleared signs no more', () => {
  const user = createUser();
  const again = fromSeed(user.getSeed().slice());
  const text = Buffer.from('text');
  expect(again.getPublicKey()).toBe(user.getPublicKey());
  expect(fromPublic(user.getPublicKey()).verify(text, again.sign(text))).toBe(true);
  expect(fromPublic(createUser().getPublicKey()).verify(text, again.sign(text))).toBe(false);
  user.clear();
  expect(() => user.sign(text)).toThrow();
});

test("is the key that the library's own Ed25519 made of the seed", () => {
  const key = fromSeed(Buffer.from('SUAAQ2SARXWC7CBQZPXAUGTV7WBSFICCIHO327XXY4PXALMBLAD3ENR65M'));
  expect(key.getPublicKey()).toBe('UD5DGW7BY463WSWOAKWNJ4EFRJBNSAZLSRHMTXCO6HQUOPR76Z6Y6RX6');
  expect(Buffer.from(key.sign(Buffer.from('text'))).toString('hex')).toBe(
    'ee750b06844471780230db029cd5b9ce19b66d56823bea57a00803c34e873cb68d29c9494e9e5d2437ed81ca7afff589b72a64f08b64a5ff93411bf36b1ef80d',
  );
});
