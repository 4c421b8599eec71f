// A language that no site of the platform can be installed in is refused before anything is made.
import { describe, expect, test } from 'vitest';
import type { ActionResult } from '../../shared/gen/aegir/v1/agent.ts';
import { graphOf, ids, platform } from '../../test/records.ts';
import { createScriptAgents } from '../task/testing/script-agents.ts';
import { requireLanguage } from './site-language.ts';

const LANGUAGES = ['en_US', 'de_DE'];
interface Agent {
  readonly languages?: string[];
  readonly away?: boolean;
  readonly broken?: boolean;
}

async function judge(locale: string, { languages = LANGUAGES, away = false, broken = false }: Agent = {}) {
  const agents = createScriptAgents();
  const asked: string[] = [];
  const ask = async (serverId: string, request: { readonly $case: string }): Promise<ActionResult> => {
    asked.push(`${request.$case} ${serverId}`);
    if (broken) throw new Error('the agent does not answer');
    const answer = await agents.ask(serverId, request as never, 1000);
    const facts = { ...{ app: 'wordpress', version: '6.1', docroot: platform.root }, phpMinimum: '', profiles: [] };
    if (answer.outcome?.$case === 'ok') answer.outcome.value.platform = { ...facts, languages };
    return answer;
  };
  const deps = { agents: { ...agents, ask, isConnected: () => !away } };
  await requireLanguage(deps, graphOf(), { platform, locale, name: 'new.example.org' });
  return asked;
}

describe('a language', () => {
  test('that the code base has on its server now is taken', async () => {
    expect(await judge('de_DE')).toEqual([`verifyPlatform ${ids.web1}`]);
  });

  test('that it has not is refused, with those that it has', async () => {
    await expect(judge('nonsense')).rejects.toMatchObject({
      code: 'failed_precondition',
      message: expect.stringMatching(
        /cannot install new\.example\.org in "nonsense": .* has the languages en_US, de_DE;/,
      ),
    });
  });

  test.each<readonly [string, Agent]>([
    ['its app takes any', { languages: [] }],
    ['its agent is away', { away: true }],
    ['its agent does not answer', { broken: true }],
  ])('is for the installer to judge where %s', async (_, agent) => {
    await judge('nonsense', agent);
  });
});
