// Events and results of agents, bounded and formed before they reach a task: an agent may be wrong or hostile.
import { isErrorCode } from '../../shared/error.ts';
import type {
  ActionEvent,
  ActionOutput,
  ActionResult,
  Finding,
  FoundSites,
  HeadStatus,
} from '../../shared/gen/aegir/v1/agent.ts';
import type { Message } from '../../shared/gen/aegir/v1/event.ts';
import { boundFacts, cut } from './bound-facts.ts';

const MAX_LOG = 4096;
const MAX_LABEL = 200;
const MAX_TEXT = 1000;
const MAX_VALUE = 4096;
const MAX_CHANGES = 1000;
const MAX_MESSAGES = 50;
const MAX_FINDINGS = 500;
const MAX_HEADS = 100;
const MAX_FOUND = 5000;
const LEVELS = ['debug', 'info', 'warn', 'error'];
const KINDS = ['link', 'secret', 'warning', 'todo', 'note'];
const FINDING_LEVELS = ['ok', 'info', 'warning', 'error'];
const MAX_PORTS = 16;
const PORT_ANSWERS = ['open', 'refused', 'silent', 'unreachable'];

/** undefined for an event of a kind that this master does not know. */
export function boundEvent(event: ActionEvent): ActionEvent | undefined {
  const body = event.body;
  switch (body?.$case) {
    case 'log': {
      const { level, text } = body.value;
      return {
        ...event,
        body: { $case: 'log', value: { level: oneOf(level, LEVELS, 'info'), text: cut(text, MAX_LOG) } },
      };
    }
    case 'progress': {
      const { fraction, label, transfer } = body.value;
      const bounded = Number.isFinite(fraction) ? Math.min(1, Math.max(0, fraction)) : 0;
      const moving = transfer === undefined ? {} : { transfer };
      return {
        ...event,
        body: { $case: 'progress', value: { fraction: bounded, label: cut(label, MAX_LABEL), ...moving } },
      };
    }
    case 'message':
      return { ...event, body: { $case: 'message', value: boundMessage(body.value) } };
    case undefined:
      return undefined;
  }
}

/** A result without outcome is an error: a newer agent may know one that we don't. */
export function boundResult(result: ActionResult): ActionResult {
  const changes = result.changes.slice(0, MAX_CHANGES).map((change) => cut(change, MAX_TEXT));
  const { actionId, outcome } = result;
  if (outcome?.$case === 'ok') {
    return { actionId, changes, outcome: { $case: 'ok', value: boundOutput(outcome.value) } };
  }
  const error = outcome?.value ?? {
    code: 'internal',
    message: 'cannot use the answer of the agent: it has none that this master knows; compare their versions',
    retryable: false,
    untouched: false,
  };
  const code = isErrorCode(error.code) ? error.code : 'unknown';
  return {
    actionId,
    changes,
    outcome: { $case: 'error', value: { ...error, code, message: cut(error.message, MAX_LOG) } },
  };
}

function boundOutput(output: ActionOutput): ActionOutput {
  const { platform } = output;
  return {
    messages: output.messages.slice(0, MAX_MESSAGES).map(boundMessage),
    platform: platform && {
      app: cut(platform.app, MAX_LABEL),
      version: cut(platform.version, MAX_LABEL),
      docroot: cut(platform.docroot, MAX_TEXT),
      phpMinimum: cut(platform.phpMinimum, MAX_LABEL),
      profiles: platform.profiles.slice(0, MAX_CHANGES).map((profile) => cut(profile, MAX_LABEL)),
      languages: platform.languages.slice(0, MAX_CHANGES).map((locale) => cut(locale, MAX_LABEL)),
    },
    findings: output.findings.slice(0, MAX_FINDINGS).map(boundFinding),
    cluster: output.cluster && { heads: output.cluster.heads.slice(0, MAX_HEADS).map(boundHead) },
    ...(output.found === undefined ? {} : { found: boundFound(output.found) }),
    ...(output.transfer === undefined ? {} : { transfer: output.transfer }),
    ...boundFacts(output),
    ports: output.ports.slice(0, MAX_PORTS).map(({ address, port, answer }) => ({
      address: cut(address, MAX_LABEL),
      port,
      answer: oneOf(answer, PORT_ANSWERS, 'unreachable'),
    })),
  };
}

function boundFound({ sites }: FoundSites): FoundSites {
  const good = sites.slice(0, MAX_FOUND).filter(({ siteId }) => /^site-[0-9a-z]{16}$/.test(siteId));
  return {
    sites: good.map(({ serviceId, siteId, what }) => ({
      ...{ serviceId: cut(serviceId, MAX_LABEL), siteId },
      what: cut(what, MAX_LABEL).replace(/\p{Cc}/gu, ' '),
    })),
  };
}

function boundMessage(message: Message): Message {
  const kind = oneOf(message.kind, KINDS, 'warning');
  // Links are clicked in the console: nothing but the web may hide behind one.
  const harmless = kind !== 'link' || /^https?:\/\/[^\s]+$/.test(message.value);
  return {
    kind,
    text: cut(message.text, MAX_TEXT),
    value: harmless && message.value.length <= MAX_VALUE ? message.value : '',
    expiresAt: message.expiresAt,
  };
}

function boundHead(head: HeadStatus): HeadStatus {
  return {
    ...head,
    serviceId: cut(head.serviceId, MAX_LABEL),
    state: cut(head.state, MAX_LABEL),
    check: cut(head.check, MAX_LABEL),
  };
}

function boundFinding(finding: Finding): Finding {
  return {
    subject: cut(finding.subject, MAX_TEXT),
    level: oneOf(finding.level, FINDING_LEVELS, 'warning'),
    text: cut(finding.text, MAX_LOG),
    code: /^[a-z][a-z0-9.-]{0,63}$/.test(finding.code) ? finding.code : '',
    advice: cut(finding.advice, MAX_TEXT),
  };
}

function oneOf(word: string, known: readonly string[], otherwise: string): string {
  return known.includes(word) ? word : otherwise;
}
