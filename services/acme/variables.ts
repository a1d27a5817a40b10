export type Variable = {
  readonly items: Readonly<Record<string, string>>;
  /** Its version; 0 if it does not exist. */
  readonly modifyIndex: number;
};

export type Variables = {
  read(path: string): Promise<Variable>;
  /** Replaces a variable, if it still has the version that was read; otherwise throws. */
  write(path: string, items: Readonly<Record<string, string>>, modifyIndex: number): Promise<void>;
};

const timeoutMs = 20_000;

/** Nomad's variables, through `unix:///PATH` or a URL. */
export function connectVariables(addr: string, token: string | undefined): Variables {
  const { protocol, pathname, origin } = new URL(addr);
  const isSocket = protocol === "unix:";
  const headers: Record<string, string> = token === undefined ? {} : { "x-nomad-token": token };
  const request = (method: string, path: string, body?: unknown) =>
    fetch(`${isSocket ? "http://nomad" : origin}${path}`, {
      method,
      headers,
      signal: AbortSignal.timeout(timeoutMs),
      ...(isSocket ? { unix: pathname } : {}),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return {
    read: async (path) => {
      const response = await request("GET", `/v1/var/${path}`);
      if (response.status === 404) return { items: {}, modifyIndex: 0 };
      if (!response.ok)
        throw new Error(`Nomad answered ${response.status} to reading ${path}: ${await response.text()}`);
      const { Items, ModifyIndex } = (await response.json()) as { Items: Record<string, string>; ModifyIndex: number };
      return { items: Items, modifyIndex: ModifyIndex };
    },
    write: async (path, items, modifyIndex) => {
      const response = await request("PUT", `/v1/var/${path}?cas=${modifyIndex}`, { Path: path, Items: items });
      // A conflict answers with the other's items, which are secrets.
      if (response.status === 409) throw new Error(`${path} was changed in the meantime; run the job again`);
      if (!response.ok)
        throw new Error(`Nomad answered ${response.status} to writing ${path}: ${await response.text()}`);
    },
  };
}
