// Reads every page of a list.

const PAGE_SIZE = 1000;

interface Page {
  readonly nextPageToken: string;
}

export async function listAll<A extends Page, T>(
  call: (page: { pageSize: number; pageToken: string }) => Promise<A>,
  items: (answer: A) => readonly T[],
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let pageToken = ''; ; ) {
    const answer = await call({ pageSize: PAGE_SIZE, pageToken });
    all.push(...items(answer));
    if (answer.nextPageToken === '') return all;
    pageToken = answer.nextPageToken;
  }
}
