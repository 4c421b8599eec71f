// What dumps and restores of MariaDB are tried with by its conformance test.
import type { DbDumps } from './db-stage.ts';

const RICH = `SET sql_mode = '';
CREATE TABLE kinds (id INT PRIMARY KEY AUTO_INCREMENT, a BIGINT UNSIGNED, d DECIMAL(30,10), f DOUBLE, b BIT(9), t TINYTEXT,
  m MEDIUMTEXT, bin VARBINARY(300), bl LONGBLOB, da DATE, dt DATETIME(6), ts TIMESTAMP NULL, ti TIME(3), y YEAR,
  e ENUM('x', 'ü', ''), s SET('p', 'q'), j JSON, g POINT, n INT NULL COMMENT 'a comment; with ''quotes''
and a line', UNIQUE KEY named (t(20)), KEY (da)) COMMENT 'kinds 🗝';
INSERT INTO kinds VALUES
  (7, 18446744073709551615, -1.0000000001, 1e-300, b'100000001', 'kept 🗝 \\\\ '' " \\n\\r\\t\\Z', REPEAT('ä', 5000), UNHEX('00FF0A0D5C2722801A'),
   UNHEX(REPEAT('000102FFFE0A0D', 3000)), '0000-00-00', '0000-00-00 00:00:00', '2024-07-01 12:00:00', '-838:59:59', 0, 'ü', 'p,q',
   '{"a":"\\\\u00e4"}', POINT(1.5, -2), NULL),
  (0, 0, 0, 0, b'0', '', '', '', '', '9999-12-31', '9999-12-31 23:59:59.999999', NULL, '00:00:00.001', 2155, '', '', NULL, NULL, 1);
CREATE TABLE latin (v VARCHAR(100) CHARACTER SET latin1, u VARCHAR(50) COLLATE utf8mb4_bin) CHARACTER SET latin1;
INSERT INTO latin VALUES (UNHEX('E4F6FC80FF'), 'ẞ');
CREATE TABLE \`odd \`\`name; 'x' -- ẞ\` (\`col umn\` INT, \`select\` INT);
CREATE TABLE parent (id INT PRIMARY KEY, v INT, doubled INT AS (v * 2) VIRTUAL, stored INT AS (v + 1) STORED, CHECK (v < 100));
CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT up FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE);
CREATE TABLE below (id INT PRIMARY KEY, c INT, FOREIGN KEY (c) REFERENCES child (id));
INSERT INTO parent (id, v) VALUES (1, 10), (2, 20); INSERT INTO child VALUES (5, 1); INSERT INTO below VALUES (9, 5);
CREATE TABLE parted (id INT PRIMARY KEY, v INT) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parted VALUES (1, 1), (11, 2);
CREATE TABLE history (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;
INSERT INTO history VALUES (1, 1); UPDATE history SET v = 2; DELETE FROM history WHERE id = 1; INSERT INTO history VALUES (2, 3);
CREATE SEQUENCE numbers START WITH 5 INCREMENT BY 3; SELECT NEXTVAL(numbers);
CREATE VIEW zz AS SELECT id, v FROM parent WHERE v < 90 WITH CHECK OPTION; CREATE VIEW aa AS SELECT v FROM zz;
CREATE SQL SECURITY INVOKER VIEW mine AS SELECT 'a ; b' AS x;
DELIMITER //
CREATE TRIGGER counted BEFORE INSERT ON parent FOR EACH ROW BEGIN SET NEW.v = NEW.v + 1; END//
CREATE PROCEDURE said(IN what VARCHAR(30)) BEGIN
  -- CREATE DEFINER=\`a\`@\`b\` is its author's
  SELECT CONCAT(what, ';; DELIMITER ;') AS said;
END//
CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC RETURN x * 2//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 03:00:00' COMMENT 'x' DO DELETE FROM parent WHERE id < 0//
DELIMITER ;
`;

const LOOK = `SELECT id, a, d, f, HEX(b), HEX(t), HEX(m), HEX(bin), SHA1(bl), da, dt, ts, ti, y, e, s, j, ST_AsText(g), n FROM kinds ORDER BY id;
SELECT HEX(v), u FROM latin; SELECT id, v, doubled, stored FROM parent; SELECT * FROM child; SELECT * FROM below;
SELECT id, v FROM history FOR SYSTEM_TIME ALL ORDER BY id, v; SELECT * FROM parted; SELECT * FROM aa; SELECT x FROM mine;
SELECT table_name, table_type, engine, table_collation, table_comment FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1;
SELECT routine_name, routine_type, sql_mode, routine_comment FROM information_schema.routines WHERE routine_schema = DATABASE() ORDER BY 1;
SELECT event_name, starts, status FROM information_schema.events WHERE event_schema = DATABASE();
SELECT trigger_name, action_statement FROM information_schema.triggers WHERE trigger_schema = DATABASE();`;

const HOSTILE: readonly (readonly [what: string, sql: DbDumps['hostile'][number]['sql']])[] = [
  [
    'a setting of the server',
    () => 'SET GLOBAL general_log = ON; SET GLOBAL read_only = ON; SET GLOBAL max_connections = 11;',
  ],
  ['another database', ({ victim }) => `USE ${victim.database}; DELETE FROM keep;`],
  ['the table of another database', ({ victim }) => `DELETE FROM ${victim.database}.keep;`],
  ['the tables of the server', () => "UPDATE mysql.global_priv SET priv = '{}';"],
  ['a new account', () => "CREATE USER evil IDENTIFIED BY 'x';"],
  ['rights for itself', ({ spec }) => `GRANT ALL ON *.* TO ${spec.user}@127.0.35.1 WITH GRANT OPTION;`],
  ['the password of another', ({ victim }) => `SET PASSWORD FOR ${victim.user}@127.0.35.1 = PASSWORD('x');`],
  ['a dropped database', ({ victim }) => `DROP DATABASE ${victim.database};`],
  ['a database of its own', () => 'CREATE DATABASE evil;'],
  ['a definer who may more', () => 'CREATE DEFINER=root@localhost PROCEDURE p() DELETE FROM mysql.user;'],
  [
    'a view of one who may more',
    ({ victim }) => `CREATE DEFINER=root@localhost VIEW v AS SELECT * FROM ${victim.database}.keep;`,
  ],
  [
    'an event of one who may more',
    ({ victim }) =>
      `CREATE DEFINER=root@localhost EVENT e ON SCHEDULE EVERY 1 SECOND DO DELETE FROM ${victim.database}.keep;`,
  ],
  ['a procedure elsewhere', ({ victim }) => `CREATE PROCEDURE ${victim.database}.p() SELECT 1;`],
  ['a function of a library', () => "CREATE FUNCTION sys_exec RETURNS INT SONAME 'udf.so';"],
  ['a plugin', () => "INSTALL PLUGIN auth_pam SONAME 'auth_pam.so';"],
  ['a file of the server', () => "CREATE TABLE f (t TEXT); LOAD DATA INFILE '/etc/passwd' INTO TABLE f;"],
  ['a file that the server writes', () => "SELECT 'x' INTO OUTFILE '/tmp/aegir-evil';"],
  ['a table elsewhere on the disk', () => "CREATE TABLE f (t INT) DATA DIRECTORY = '/tmp';"],
  ['the binary log', () => 'SET sql_log_bin = 0; RESET MASTER;'],
  ['a replication', () => "CHANGE MASTER TO MASTER_HOST = '192.0.2.1'; START SLAVE;"],
  ['the end of the server', () => 'SHUTDOWN;'],
  ['the end of others', () => 'KILL 1; KILL USER root@localhost;'],
  ['a password for the restorer', () => "SET PASSWORD = PASSWORD('known');"],
  ['more than one statement at a time', () => 'DELIMITER ;;\nSELECT 1; SET GLOBAL general_log = ON; ;;\nDELIMITER ;'],
];

export const MARIADB_DUMPS: DbDumps = {
  rich: RICH,
  look: LOOK,
  use: "INSERT INTO parent (id, v) VALUES (50, 1); SELECT v, doubled FROM parent WHERE id = 50; SELECT v FROM aa WHERE v = 2; CALL said('x'); SELECT twice(4); INSERT INTO kinds (a) VALUES (1); SELECT MAX(id) FROM kinds;",
  used: ['2\t4', '2', 'x;; DELIMITER ;', '8', '10'],
  pairs: {
    make: 'CREATE TABLE one (id INT PRIMARY KEY AUTO_INCREMENT); CREATE TABLE two (id INT PRIMARY KEY AUTO_INCREMENT);',
    write: 'BEGIN; INSERT INTO one VALUES (); INSERT INTO two VALUES (); COMMIT;',
    look: 'SELECT COUNT(*) FROM one; SELECT COUNT(*) FROM two;',
  },
  guarded: `SELECT user, host, priv FROM mysql.global_priv WHERE user NOT REGEXP '^d_' ORDER BY 1, 2;
SELECT * FROM mysql.db WHERE user NOT REGEXP '^d_' ORDER BY 1, 2, 3; SELECT schema_name FROM information_schema.schemata ORDER BY BINARY schema_name;
SELECT db, name FROM mysql.proc WHERE db NOT LIKE 'site%'; SELECT db, name FROM mysql.event WHERE db NOT LIKE 'site%';
SELECT @@global.general_log, @@global.max_connections, @@global.read_only, @@global.log_bin_trust_function_creators, @@global.sql_mode;
SELECT COUNT(*) FROM mysql.func; SELECT COUNT(*) FROM mysql.plugin;`,
  hostile: HOSTILE.map(([what, sql]) => ({ what, sql })),
  thaws: [
    {
      what: 'an account that was unlocked',
      harm: ({ user }, address) => `ALTER USER \`${user}\`@\`${address}\` ACCOUNT UNLOCK;`,
      says: 'it was not locked',
    },
    {
      what: 'an account that is not there',
      harm: ({ user }, address) => `DROP USER \`${user}\`@\`${address}\`;`,
      says: 'create user',
    },
  ],
};
