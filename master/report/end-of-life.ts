// Until when versions are maintained: a table of facts, each with where and when it was read. What is not here is unknown,
// and verify says so. To bring it up to date, read the source again and change date and facts together.

export interface Lifetimes {
  readonly source: string;
  /** When the source was read. */
  readonly read: string;
  /** Last day with security fixes by the project, by series; 'none' where none is announced. */
  readonly ends: Readonly<Record<string, string>>;
}

/** By engine or program as agents name them. Series: as many parts of the version as the keys have. */
export const LIFETIMES: Readonly<Record<string, Lifetimes>> = {
  nginx: {
    source: 'https://endoflife.date/nginx, from https://nginx.org/en/CHANGES',
    read: '2026-11-23',
    ends: {
      ...{ '1.18': '2021-04-20', '1.20': '2022-05-24', '1.22': '2023-04-11', '1.24': '2024-04-23' },
      ...{ '1.25': '2024-05-29', '1.26': '2025-04-23', '1.27': '2025-06-24' },
    },
  },
  apache: {
    source: 'https://httpd.apache.org/ (2.4 is maintained, with no end announced; 2.2 ended 2018-01-01)',
    read: '2026-11-23',
    ends: { '2.2': '2018-01-01', '2.4': 'none' },
  },
  'php-fpm': {
    source: 'https://endoflife.date/php, from https://www.php.net/supported-versions.php',
    read: '2026-11-23',
    ends: {
      ...{ '7.0': '2019-01-10', '7.1': '2019-12-01', '7.2': '2020-11-30', '7.3': '2021-12-06', '7.4': '2022-11-28' },
      ...{ '8.0': '2023-11-26', '8.1': '2025-12-31', '8.2': '2026-12-31', '8.3': '2027-12-31' },
      ...{ '8.4': '2028-12-31', '8.5': '2029-12-31' },
    },
  },
  mariadb: {
    source: 'https://endoflife.date/mariadb, from https://mariadb.org/about/#maintenance-policy',
    read: '2026-11-23',
    ends: {
      ...{ '10.3': '2023-05-25', '10.4': '2024-06-18', '10.5': '2025-06-24', '10.6': '2026-07-06' },
      ...{ '10.7': '2023-02-14', '10.8': '2023-05-20', '10.9': '2023-08-22', '10.10': '2023-11-17' },
      ...{ '10.11': '2028-02-16', '11.4': '2029-05-29' },
    },
  },
  mysql: {
    source: 'https://www.mysql.com/support/ (lifetime support), as in agent/engine/db/mariadb/mysql.ts',
    read: '2026-11-23',
    ends: { '5.7': '2023-10-31', '8.0': '2026-04-30', '8.4': '2032-04-30' },
  },
  postgresql: {
    source: 'https://www.postgresql.org/support/versioning/',
    read: '2026-11-23',
    ends: {
      ...{ '11': '2023-11-09', '12': '2024-11-21', '13': '2025-11-13', '14': '2026-11-12', '15': '2027-11-11' },
      ...{ '16': '2028-11-09', '17': '2029-11-08', '18': '2030-11-14' },
    },
  },
  bind: {
    source:
      'https://kb.isc.org/docs/supported-platforms (9.16 until January 2024, 9.18 until Q2 2026, 9.20 until Q2 2028)',
    read: '2026-11-23',
    ends: { '9.11': '2022-01-31', '9.16': '2024-01-31', '9.18': '2026-06-30', '9.20': '2028-06-30' },
  },
};

export interface Release {
  readonly name: string;
  /** Last day of the security team. */
  readonly ends: string;
  /** Last day of long-term support, which is for a part of the packages. */
  readonly ltsEnds: string;
  /** What it ships and maintains, by engine or program: series. */
  readonly ships: Readonly<Record<string, string>>;
}

/** Debian maintains what it ships for as long as the release lasts, whatever the projects do. */
export const DEBIAN: {
  readonly source: string;
  readonly read: string;
  readonly releases: Readonly<Record<string, Release>>;
} = {
  source: 'https://endoflife.date/debian, from https://wiki.debian.org/DebianReleases; versions: packages.debian.org',
  read: '2026-11-23',
  releases: {
    '10': { name: 'buster', ends: '2022-09-10', ltsEnds: '2024-06-30', ships: {} },
    '11': {
      ...{ name: 'bullseye', ends: '2024-08-14', ltsEnds: '2026-08-31' },
      ships: { nginx: '1.18', apache: '2.4', 'php-fpm': '7.4', mariadb: '10.5', postgresql: '13', bind: '9.16' },
    },
    '12': {
      ...{ name: 'bookworm', ends: '2026-06-10', ltsEnds: '2028-06-10' },
      ships: {
        ...{ nginx: '1.22', apache: '2.4', 'php-fpm': '8.2', mariadb: '10.11', postgresql: '15', bind: '9.18' },
        ...{ powerdns: '4.7', nats: '2.9', haproxy: '2.6' },
      },
    },
  },
};
