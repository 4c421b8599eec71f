import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { DEFAULT_STATE, loadConfig, parseConfig } from './config.ts';
import { AGENT_VERSION } from './version.ts';

const embedded = {
  kind: 'embedded',
  dir: '/srv/one',
  hostname: 'one.localhost',
  address: '127.0.1.1',
  extraAddresses: ['127.0.0.1'],
  ports: { nginx: 8081, apache2: 8082, haproxy: 8083, haproxyTls: 8084, mariadb: 3307, postgresql: 5433 },
  daemons: ['nginx', 'apache2', 'haproxy', 'mariadb', 'postgresql@15-main', 'php-fpm@8.2'],
};

describe('configuration', () => {
  test('without a file is a systemd host', () => {
    expect(loadConfig(undefined, undefined)).toEqual({
      host: { kind: 'systemd' },
      stateDir: DEFAULT_STATE,
      logLevel: 'info',
      transfer: { bytesPerSecond: undefined },
    });
    expect(loadConfig(undefined, '/srv/state').stateDir).toBe('/srv/state');
  });

  test('of an embedded host', () => {
    const config = parseConfig({ host: embedded, stateDir: '/srv/one/agent/', logLevel: 'debug' });
    expect(config).toMatchObject({ host: embedded, stateDir: '/srv/one/agent', logLevel: 'debug' });
  });

  test.each([
    ['an unknown key', { hosts: {} }, /"hosts" must be absent; known are host/],
    ['an unknown kind', { host: { kind: 'docker' } }, /host.kind must be systemd or embedded/],
    ['a typing error in a host', { host: { ...embedded, adress: 'x' } }, /"adress"/],
    ['a relative directory', { host: { ...embedded, dir: 'one' } }, /host.dir/],
    ['no address', { host: { ...embedded, address: 'localhost' } }, /host.address must be an IP address/],
    ['a port that is none', { host: { ...embedded, ports: { nginx: 70_000, mariadb: 1 } } }, /host.ports.nginx/],
    ['a port of Apache that is none', { host: { ...embedded, ports: { apache2: '80' } } }, /host.ports.apache2/],
    ['an unknown daemon', { host: { ...embedded, daemons: ['sshd'] } }, /host.daemons/],
    ['a cluster without a version', { host: { ...embedded, daemons: ['postgresql'] } }, /host.daemons/],
    ['a cluster that is a path', { host: { ...embedded, daemons: ['postgresql@15-../x'] } }, /host.daemons/],
    ['no ports', { host: { ...embedded, ports: undefined } }, /host.ports must be an object/],
    ['a limit of nothing', { transfer: { bytesPerSecond: 0 } }, /transfer.bytesPerSecond must be a whole number/],
    ['a limit in words', { transfer: { bytesPerSecond: '1M' } }, /transfer.bytesPerSecond/],
    ['a limit of something else', { transfer: { rate: 1 } }, /"rate"/],
    ['a log level', { logLevel: 'loud' }, /logLevel must be one of/],
    ['a state that is no path', { stateDir: 5 }, /stateDir must be a text/],
  ])('refuses %s', (_name, json, why) => {
    expect(() => parseConfig(json)).toThrow(why);
  });

  test('says which file cannot be read', () => {
    expect(() => loadConfig('/no/such/file', undefined)).toThrow(/cannot read the configuration \/no\/such\/file/);
    const here = new URL(import.meta.url).pathname;
    expect(() => loadConfig(here, undefined)).toThrow(/cannot read the configuration/);
  });
});

test("the agent's version is the package's", () => {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  expect(AGENT_VERSION).toBe(version);
});
