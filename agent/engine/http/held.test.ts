// The kernel's list of sockets, and who vouches for a certificate, as text.
import { expect, it } from 'vitest';
import { selfSigned } from '../conformance/http-tls.ts';
import { countConnections } from './held.ts';
import { trustedText } from './upstream-trust.ts';

it('counts who is connected to a socket, and nobody else', () => {
  const table = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 10 /run/aegir/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 11 /run/aegir/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 12
00000000025ce0e5: 00000003 00000000 00000000 0001 02 14359 /run/aegir/a.sock
0000000000000000: 00000003 00000000 00000000 0001 03 13 /run/aegir/a.sock.other
`;
  expect(countConnections(table, '/run/aegir/a.sock')).toBe(2);
  expect(countConnections(table, '/run/aegir/b.sock')).toBe(0);
});

it('a certificate of its own vouches for itself; one alone that another has issued has nobody here', () => {
  const { certificatePem } = selfSigned(['example.org']);
  expect(trustedText(certificatePem)).toBe(certificatePem);
  expect(trustedText('nothing')).toBe('');
});
