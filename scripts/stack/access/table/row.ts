/** Rights of one token: by column, the objects or actions that the servers allowed. */
export type Row = { token: string; allowed: Record<string, string[]> };

export type Section = { title: string; columns: readonly string[]; rows: Row[] };

/** Sends a request with a token, and returns the status and the text of the answer. */
export type Ask = (method: string, path: string, body?: unknown) => Promise<{ status: number; text: string }>;

/** An attempt that only a right allows. It changes nothing that another attempt depends on. */
export type Attempt = { name: string; succeeds: (ask: Ask) => Promise<boolean> };

/** Makes the requests of a token. A body that is a text is sent as it is. */
export const askAs =
  (baseUrl: string, headers: Record<string, string>): Ask =>
  async (method, path, body) => {
    const response = await fetch(new URL(path, baseUrl), {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const answer = { status: response.status, text: await response.text() };
    // No verdict about the token: the server had too many connections, or is not ready.
    if (answer.status === 429 || answer.status === 503)
      throw new Error(`${method} ${path} answered ${answer.status}: ${answer.text}`);
    return answer;
  };

/** The names of the attempts that succeed, in their order. */
export async function succeeding(attempts: readonly Attempt[], ask: Ask): Promise<string[]> {
  const results = await Promise.all(attempts.map(({ succeeds }) => succeeds(ask)));
  return attempts.filter((_, index) => results[index]).map(({ name }) => name);
}

/** Names as a reader wants them: "all", and "x/*" instead of every name under x. */
export function brief(names: readonly string[], all: readonly string[]): string[] {
  if (names.length === all.length) return ["all"];
  const folderOf = (name: string) => name.split("/")[0]!;
  const isWhole = (folder: string) => {
    const inFolder = all.filter((name) => folderOf(name) === folder);
    return inFolder.length > 1 && inFolder.every((name) => names.includes(name));
  };
  const shortened = names.map((name) => (name.includes("/") && isWhole(folderOf(name)) ? `${folderOf(name)}/*` : name));
  return [...new Set(shortened)];
}

/** The rows of the tokens, one after the other: a server takes some hundred connections of a client. */
export async function rowsOf<T>(
  tokens: Iterable<readonly [token: string, secret: T]>,
  measure: (secret: T) => Promise<Row["allowed"]>,
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [token, secret] of tokens) rows.push({ token, allowed: await measure(secret) });
  return rows;
}
