// Clients: who owns sites.
import { AegirError } from '../../shared/error.ts';
import type {
  AddClientRequest,
  Client,
  ListClientsRequest,
  ListClientsResponse,
  RemoveClientRequest,
} from '../../shared/gen/aegir/v1/admin.ts';
import { freeText, mailAddress } from '../../shared/name.ts';
import { planAtOnce } from '../plan/at-once.ts';
import type { AdminDeps } from './deps.ts';
import { loadGraph } from './load.ts';
import { pageOf } from './page.ts';
import { clientView } from './view.ts';

export async function listClients(deps: AdminDeps, request: ListClientsRequest): Promise<ListClientsResponse> {
  const graph = await loadGraph(deps.store);
  const page = pageOf(graph.clients, (client) => client.name, request);
  return { clients: page.items.map((client) => clientView(graph, client)), nextPageToken: page.nextPageToken };
}

export async function addClient(deps: AdminDeps, request: AddClientRequest): Promise<Client> {
  const name = freeText(request.name, 'client name', 100).trim();
  if (name === '') throw new AegirError('invalid_argument', 'cannot add a client: its name is empty');
  const client = { id: deps.newId('cli'), name, mail: request.mail === '' ? '' : mailAddress(request.mail) };
  if ((await loadGraph(deps.store)).clients.some((known) => known.name === name))
    throw new AegirError('already_exists', `cannot add client ${name}: there is one of that name; choose another name`);
  await deps.store.clients.insert(client);
  return { ...client, sites: 0, plan: undefined };
}

export async function removeClient(deps: AdminDeps, request: RemoveClientRequest): Promise<Client> {
  return deps.store.transaction(async (tx) => {
    const graph = await loadGraph(tx);
    const client = graph.client(request.client);
    const view = clientView(graph, client);
    if (view.sites > 0) {
      throw new AegirError(
        'failed_precondition',
        `cannot remove client ${client.name}: it owns ${view.sites} sites; delete them first`,
      );
    }
    if (request.options?.planOnly === true) {
      const undo = `aegir client add ${JSON.stringify(client.name)}`;
      const step = { kind: 'client.forget', summary: `Forget client ${client.name}, who owns no site`, undo };
      return { ...view, plan: planAtOnce('client.remove', `Remove client ${client.name}`, [step]) };
    }
    if (!request.confirm) {
      throw new AegirError(
        'failed_precondition',
        `cannot remove client ${client.name}: it was not confirmed; say --yes`,
      );
    }
    await tx.clients.delete(client.id);
    return view;
  });
}
