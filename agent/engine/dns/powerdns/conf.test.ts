import { expect, it } from 'vitest';
import { parsePdnsConf } from './conf.ts';

it.each([
  [['launch=bind\n'], { api: false, apiKey: undefined, apiUrl: 'http://127.0.0.1:8081', port: 53 }],
  [
    ['api=yes # on\n # api=no\napi-key = abc \nwebserver-port=8090\nlocal-port=5300\n', 'webserver-address=0.0.0.0\n'],
    { api: true, apiKey: 'abc', apiUrl: 'http://127.0.0.1:8090', port: 5300 },
  ],
  [['api=yes\n', 'api=no\n'], { api: false }],
  [['api\n=yes\n', 'webserver-address=::1'], { api: false, apiUrl: 'http://[::1]:8081' }],
  [['api=yes\napi-key=$scrypt$ln=10,p=1,r=8$abc'], { api: true, apiKey: undefined }],
])('%j', (texts, expected) => {
  expect(parsePdnsConf(texts)).toMatchObject(expected);
});
