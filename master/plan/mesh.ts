// Plans about the mesh itself.
import type { Graph } from '../graph/graph.ts';
import type { ServerRecord } from '../store/model.ts';
import type { Plan } from './plan.ts';

/** Bytes that mean nothing go from one server to another, and are forgotten. */
export function planTestMesh(graph: Graph, sender: ServerRecord, receiver: ServerRecord, bytes: number): Plan {
  const pair = `${graph.server(sender.id).name} to ${graph.server(receiver.id).name}`;
  return {
    verb: 'mesh.test',
    subjectId: receiver.id,
    subject: pair,
    summary: `Test the mesh from ${pair}`,
    steps: [
      {
        kind: 'mesh.probe',
        args: { senderId: sender.id, receiverId: receiver.id, bytes },
        summary: `Send ${bytes} bytes from ${pair} and time them`,
        serverId: receiver.id,
        undo: { none: 'it only looks' },
      },
    ],
    warnings: [],
    pointOfNoReturn: null,
    locks: [],
  };
}
