// The help of `service declare` names what the engines know, no more and no less.
import { expect, test } from 'vitest';
import { contextOf } from '../../agent/engine/conformance/interruption.ts';
import { canPrepare } from '../../agent/engine/engine.ts';
import { createEngines } from '../../agent/engine/engines.ts';
import { createFakeHost } from '../../agent/host/fake.ts';
import { DECLARED } from '../../master/cli/engine-help.ts';

/** Of every file engine. */
const COMMON = ['encrypt', 'encryption-key'];

test.each(DECLARED)('$type/$engine', async ({ type, engine: name, settings, secrets }) => {
  const engine = createEngines().find((each) => each.type === type && each.name === name);
  if (engine === undefined || !canPrepare(engine)) throw new Error(`there is no engine ${type}/${name} to ask`);
  const service = { id: '', serverId: '', type, engine: name, version: '', instance: '', settings: {}, secrets: {} };
  const known = async (kind: 'settings' | 'secrets') => {
    const asked = engine.prepare({ ...service, [kind]: { nonsense: 'x' } }, contextOf(createFakeHost()));
    const said = await asked.then(
      () => '',
      (thrown: Error) => thrown.message,
    );
    const [, list = said] = /\(it knows: ([^)]*)\)/.exec(said) ?? [];
    return list.split(', ').filter((key) => key !== 'none' && !COMMON.includes(key));
  };
  expect((await known('settings')).sort()).toEqual([...settings].sort());
  expect((await known('secrets')).sort()).toEqual([...secrets].sort());
});
