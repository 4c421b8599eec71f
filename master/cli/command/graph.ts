// aegir graph, aegir status.
import type { Command } from 'commander';
import { GraphServiceService as api, Graph, Status } from '../../../shared/gen/aegir/v1/admin.ts';
import type { Connection } from '../connection.ts';
import { bytes, type Column, printData, printOne, safe, when } from '../output.ts';
import type { Cli, GlobalOptions } from '../session.ts';

const STATUS: readonly Column<Status>[] = [
  { title: 'Version', value: (status) => status.version },
  { title: 'Started', value: (status) => when(status.startedAt) },
  { title: 'Store', value: (status) => status.store },
  {
    title: 'Servers',
    value: (status) => `${status.serversConnected} of ${status.serversAccepted} accepted are connected`,
  },
  { title: 'Open tasks', value: (status) => String(status.tasksOpen) },
  { title: 'Mesh', value: (status) => status.meshState },
  { title: 'Memory', value: (status) => bytes(status.rssBytes) },
  { title: 'CA pin', value: (status) => status.caPin },
  { title: 'Addresses', value: (status) => status.addresses.join(', ') },
];

export function graphCommand(cli: Cli, program: Command): void {
  program
    .command('graph')
    .description('servers, services, platforms and sites as a tree')
    .option('--dot', 'in the language of Graphviz')
    .action(async (_, command: Command) => {
      const flags = command.optsWithGlobals<GlobalOptions & { dot?: boolean }>();
      // dot is a format of this command alone: -o dot means --dot.
      const dot = flags.dot === true || flags.output === 'dot';
      await cli.connected({ ...flags, output: dot ? 'table' : flags.output }, async (link: Connection, out) => {
        const graph = await link.call(api.getGraph, {});
        if (dot) out.stdout.write(renderDot(graph));
        else if (out.format !== 'table') printData(out, Graph.toJSON(graph));
        else out.stdout.write(renderTree(graph));
      });
    });

  program
    .command('status')
    .description('how the master is')
    .action(async (_, command: Command) => {
      await cli.connected(command.optsWithGlobals<GlobalOptions>(), async (link, out) =>
        printOne(out, await link.call(api.getStatus, {}), Status.toJSON, STATUS),
      );
    });
}

/** Servers at the root, their services below, platforms below http services, sites below platforms. */
export function renderTree(graph: Graph): string {
  const below = (id: string, kind: string, childOf: (edge: Graph['edges'][number]) => string | undefined) =>
    graph.edges
      .filter((edge) => edge.kind === kind)
      .map((edge) =>
        childOf(edge) === undefined || parentOf(edge) !== id
          ? undefined
          : graph.nodes.find((node) => node.id === childOf(edge)),
      )
      .filter((node) => node !== undefined)
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  const parentOf = (edge: Graph['edges'][number]) => (edge.kind === 'carries' ? edge.from : edge.to);
  const children = (id: string) => [
    ...below(id, 'carries', (edge) => edge.to),
    ...below(id, 'runs-on', (edge) => edge.from),
    ...below(id, 'lies-on', (edge) => edge.from),
    ...below(id, 'uses', (edge) => edge.from),
  ];
  const lines: string[] = [];
  const walk = (node: Graph['nodes'][number], prefix: string, last: boolean, root: boolean) => {
    const bound = graph.edges.filter((edge) => edge.kind === 'binds' && edge.from === node.id);
    const others = bound
      .map((edge) => graph.nodes.find((other) => other.id === edge.to)?.name)
      .filter((name) => name !== undefined);
    const extra = others.length === 0 ? '' : ` -> ${others.join(', ')}`;
    const detail = [node.detail, node.state].filter((word) => word !== '').join(', ');
    lines.push(
      safe(
        `${root ? '' : `${prefix}${last ? '└─ ' : '├─ '}`}${node.kind} ${node.name}${detail === '' ? '' : ` (${detail})`}${extra}`,
      ),
    );
    const next = children(node.id);
    for (const [index, child] of next.entries())
      walk(child, root ? '' : `${prefix}${last ? '   ' : '│  '}`, index === next.length - 1, false);
  };
  const roots = graph.nodes
    .filter((node) => node.kind === 'server' || node.kind === 'client')
    .sort((a, b) => (a.kind + a.name < b.kind + b.name ? 1 : -1));
  for (const root of roots) walk(root, '', true, true);
  return lines.length === 0 ? 'The graph is empty: no server has joined.\n' : `${lines.join('\n')}\n`;
}

export function renderDot(graph: Graph): string {
  const quote = (text: string) => `"${safe(text).replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
  const shape: Readonly<Record<string, string>> = {
    server: 'box3d',
    service: 'component',
    platform: 'folder',
    site: 'box',
    client: 'ellipse',
    zone: 'note',
  };
  const nodes = graph.nodes.map(
    (node) => `  ${quote(node.id)} [label=${quote(node.name)}, shape=${shape[node.kind] ?? 'box'}];`,
  );
  const edges = graph.edges.map((edge) => `  ${quote(edge.from)} -> ${quote(edge.to)} [label=${quote(edge.kind)}];`);
  return `digraph aegir {\n  rankdir=LR;\n${[...nodes, ...edges].join('\n')}\n}\n`;
}
