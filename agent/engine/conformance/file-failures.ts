// What every file engine says when a place cannot be used: clearly, in bounded time, without a secret, and harming nothing.
import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { contentOf, type Declared, type FileStage, type FileSubject, type FileWorld } from './file-stage.ts';

const PATIENCE_MS = 40_000;

export function describeFileFailures(_subject: FileSubject, stageOf: () => FileStage): void {
  /** What opening and the probe say of a service that cannot be used. */
  const refusal = async (declared: Declared | undefined, once: boolean): Promise<string> => {
    const stage = stageOf();
    const service = stage.with(declared);
    const from = performance.now();
    const [finding] = await stage.engine.check(service, stage.ctx);
    expect(performance.now() - from).toBeLessThan(PATIENCE_MS);
    expect(finding?.level).toBe('error');
    // Patience is tried once: it is the same by either way.
    if (!once) await expect(stage.open(service)).rejects.toThrow(finding?.text ?? '');
    for (const secret of Object.values(service.secrets)) {
      for (const line of secret.split('\n').filter((each) => each.length > 8))
        expect(finding?.text).not.toContain(line);
    }
    expect(await stage.scratch()).toEqual([]);
    return finding?.text ?? '';
  };

  const cases: readonly (readonly [string, (world: FileWorld) => Declared | undefined, RegExp])[] = [
    ['that credentials are not taken', (world) => world.strange, /does not accept our/],
    ['that another host answers', (world) => world.otherHost, /another host key than the one that is pinned/],
    ['that nobody listens', (world) => world.closed, /no answer|does not answer/],
    ['that nobody answers', (world) => world.silent, /no answer|not answer/],
  ];
  for (const [what, of, says] of cases) {
    it(`tells ${what}`, async (test) => {
      const declared = of(stageOf().world);
      if (declared === undefined) return test.skip('no such thing for this engine');
      expect(await refusal(declared, declared === stageOf().world.silent)).toMatch(says);
    });
  }

  it('tells of settings that cannot be right, by their key', async () => {
    const { engine, ctx, with: serviceOf, world } = stageOf();
    const strange = serviceOf({ ...world.declared, settings: { ...world.declared.settings, 'no-such': 'x' } });
    await expect(engine.prepare(strange, ctx)).rejects.toThrow(/settings "no-such": the engine does not know it/);
    for (const key of Object.keys(world.declared.settings).filter((each) => each !== 'local' && each !== 'user')) {
      const settings = { ...world.declared.settings, [key]: ' \u0001../' };
      await expect(engine.openStore(serviceOf({ ...world.declared, settings }), ctx), key).rejects.toMatchObject({
        code: 'invalid_argument',
        message: expect.stringContaining(`"${key}"`),
      });
    }
  });

  it('has no secret in arguments or environments of programs', async () => {
    const stage = stageOf();
    await stage.session((store) => store.put('object', [Buffer.from('x')]));
    const secrets = Object.values(stage.service.secrets).flatMap((text) =>
      text.split('\n').filter((each) => each.length > 8),
    );
    for (const { argv, env } of stage.ran) {
      for (const secret of secrets) expect(JSON.stringify([argv, env])).not.toContain(secret);
    }
  });

  it('tells of a place that is read-only, and uses it again when it is not', async (test) => {
    const stage = stageOf();
    if (stage.world.readOnly === undefined) {
      return test.skip('SKIPPED: read-only targets (root is needed for a file system of our own)');
    }
    await stage.session((store) => store.put('object', [Buffer.from('there')]));
    const before = await stage.world.everything();
    await stage.world.readOnly(true);
    try {
      const [finding] = await stage.engine.check(stage.service, stage.ctx);
      expect(finding).toMatchObject({ level: 'error', text: expect.stringMatching(/read-only|let .* write|may not/) });
      const store = await stage.open();
      try {
        expect((await contentOf(store, 'object')).toString()).toBe('there');
      } finally {
        await store.close();
      }
    } finally {
      await stage.world.readOnly(false);
    }
    expect(await stage.world.everything()).toEqual(before);
    expect((await stage.engine.check(stage.service, stage.ctx))[0]).toMatchObject({ level: 'ok' });
  });

  it('tells of a place that is full, keeps what is there, and goes on when there is room', async (test) => {
    const stage = stageOf();
    const { tooMuch } = stage.world;
    if (tooMuch === undefined) {
      return test.skip('SKIPPED: full targets (root is needed for a small file system)');
    }
    await stage.session((store) => store.put('object', [Buffer.from('there')]));
    const big = randomBytes(tooMuch);
    const put = stage.session((store) => store.put('object', [big]));
    await expect(put).rejects.toThrow(/full|quota/);
    await stage.session(async (store) => {
      expect((await contentOf(store, 'object')).toString()).toBe('there');
      await store.put('object', [Buffer.from('small')]);
    });
    await stage.session(async (store) => expect((await contentOf(store, 'object')).toString()).toBe('small'));
  });
}
