// Somebody who is logged in to a WordPress site and leaves pictures in its media library.
import { request } from 'node:http';
import { createBrowser } from '../../deploy/up/browse.ts';

const PNG = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const FORM = 'a-form-of-the-test';

/** link is a one-time login link. Answers what uploads a file of that name, and tells its path. */
export async function logInToUpload(
  address: string,
  site: string,
  link: string,
): Promise<(name: string) => Promise<string>> {
  const browser = createBrowser(address);
  await browser.get(link);
  const { body } = await browser.get(`http://${site}/wp-admin/media-new.php`);
  const nonce = /name="_wpnonce" value="([0-9a-f]+)"/.exec(body)?.[1] ?? /"_wpnonce":"([0-9a-f]+)"/.exec(body)?.[1];
  if (nonce === undefined) throw new Error('there is no form for uploads');
  return async (name) => {
    const answer = await post(address, site, browser.cookies(), form(name, nonce));
    const { success, data } = JSON.parse(answer) as { success: boolean; data: { url: string } };
    if (!success) throw new Error(answer.slice(0, 200));
    return new URL(data.url).pathname;
  };
}

function form(name: string, nonce: string): Buffer {
  const part = (field: string, more = '') => `--${FORM}\r\nContent-Disposition: form-data; name="${field}"${more}\r\n`;
  const fields = Object.entries({ name, action: 'upload-attachment', _wpnonce: nonce });
  const head = fields.map(([field, value]) => `${part(field)}\r\n${value}\r\n`).join('');
  const file = `${part('async-upload', `; filename="${name}"`)}Content-Type: image/png\r\n\r\n`;
  return Buffer.concat([Buffer.from(`${head}${file}`), PNG, Buffer.from(`\r\n--${FORM}--\r\n`)]);
}

function post(address: string, site: string, cookie: string, body: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const type = { 'content-type': `multipart/form-data; boundary=${FORM}`, 'content-length': body.length };
    const sent = request(
      {
        ...{ host: address, path: '/wp-admin/async-upload.php', method: 'POST', agent: false, timeout: 90_000 },
        headers: { host: site, cookie, ...type },
      },
      (answer) => {
        const parts: Buffer[] = [];
        answer.on('data', (bytes: Buffer) => parts.push(bytes));
        answer.on('error', reject);
        answer.on('end', () => {
          if (answer.statusCode === 200) resolve(Buffer.concat(parts).toString());
          else reject(new Error(String(answer.statusCode)));
        });
      },
    );
    sent.on('timeout', () => sent.destroy(new Error('no answer in 90 s')));
    sent.on('error', reject);
    sent.end(body);
  });
}
