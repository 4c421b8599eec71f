import { expect, it } from 'vitest';
import { cleaned, whole } from './dump-text.ts';

async function clean(text: string, size = 7): Promise<{ readonly text: string; readonly told: readonly string[] }> {
  const bytes = Buffer.from(text);
  const told: string[] = [];
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
  }
  const out: Uint8Array[] = [];
  for await (const chunk of cleaned(pieces(), (position) => told.push(position))) out.push(chunk);
  return { text: Buffer.concat(out).toString(), told };
}

it.each([
  ['/*M!999999\\- enable the sandbox mode */ \nSELECT 1;\n', 'SELECT 1;\n'],
  ['/*!50013 DEFINER=`s_1`@`192.0.2.1` SQL SECURITY DEFINER */\nx\n', '/*!50013 SQL SECURITY DEFINER */\nx\n'],
  [
    'DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 DEFINER=`a``b`@`%`*/ /*!50003 TRIGGER t\n*/;;\nDELIMITER ;\n',
    'DELIMITER ;;\n/*!50003 CREATE*/ /*!50017 */ /*!50003 TRIGGER t\n*/;;\nDELIMITER ;\n',
  ],
  [
    'DELIMITER ;;\n/*!50003 SET x */ ;;\n/*!50106 CREATE*/ /*!50117 DEFINER=`r`*/ /*!50106 EVENT e\n',
    'DELIMITER ;;\n/*!50003 SET x */ ;;\n/*!50106 CREATE*/ /*!50117 */ /*!50106 EVENT e\n',
  ],
  [
    'DELIMITER ;;\nCREATE DEFINER="root"@"localhost" PROCEDURE "p"()\n;;\nDELIMITER ;\n',
    'DELIMITER ;;\nCREATE PROCEDURE "p"()\n;;\nDELIMITER ;\n',
  ],
  ['ALTER DATABASE `site_1` CHARACTER SET latin1 COLLATE latin1_swedish_ci ;\nx', 'x'],
])('is without accounts and names: %j', async (text, wanted) => {
  for (const size of [1, 7, 10_000]) expect((await clean(text, size)).text).toBe(wanted);
});

it.each([
  "INSERT INTO `t` VALUES\n(1,'/*!50013 DEFINER=`a`@`b` SQL SECURITY DEFINER */'),\n",
  // The body of a routine is its author's.
  "DELIMITER ;;\nCREATE PROCEDURE `p`()\nbegin\nCREATE DEFINER=`a`@`b` VIEW x;\n-- CHANGE MASTER TO MASTER_LOG_FILE='x', MASTER_LOG_POS=1;\nALTER DATABASE `x`;\nend ;;\nDELIMITER ;\n",
  `(${'x'.repeat(20_000)})\nlast`,
  '',
])('leaves what it has no business with: %j', async (text) => {
  for (const size of [1, 7, 10_000]) expect(await clean(text, size)).toEqual({ text, told: [] });
});

it('tells the place in the binary log, and has it no more', async () => {
  const text =
    "a\n-- CHANGE MASTER TO MASTER_USE_GTID=slave_pos;\n-- CHANGE MASTER TO MASTER_LOG_FILE='log.000007', MASTER_LOG_POS=42;\nb\n";
  expect(await clean(text)).toEqual({ text: 'a\nb\n', told: ['log.000007:42'] });
});

it.each([1, 7])('a line that is too long is none that is passed on whole, in chunks of %i bytes', async (size) => {
  const pass = async (text: string, most: number) => {
    const bytes = Buffer.from(text);
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
    }
    const out: Uint8Array[] = [];
    for await (const chunk of whole(pieces(), most, () => new Error('too long'))) out.push(chunk);
    return Buffer.concat(out).toString();
  };
  const text = `one\n${'x'.repeat(20)}\n${'y'.repeat(20)}\nlast`;
  expect(await pass(text, 20)).toBe(text);
  await expect(pass(`${text}${'z'.repeat(17)}\n`, 20)).rejects.toThrow('too long');
  await expect(pass(`one\n${'x'.repeat(21)}`, 20)).rejects.toThrow('too long');
});
