import type { ShownMessage } from "../whatsapp/phones/screen.ts";
import type { Simulator } from "../simulator.ts";
import type { MemoryAuth } from "./client.ts";
import { connect, connectionUpdate, ending, memoryAuth } from "./client.ts";

export type Answer<T> = { status: number; body: T };

/** Creates a client of the control API. */
export function control(url: string, token?: string) {
  const headers: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const call = async <T>(method: string, path: string, body?: unknown): Promise<Answer<T>> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: (text === "" ? undefined : JSON.parse(text)) as T };
  };
  return {
    post: <T>(path: string, body: unknown) => call<T>("POST", path, body),
    get: <T>(path: string) => call<T>("GET", path),
    delete: (path: string) => call<undefined>("DELETE", path),
    /** Messages that a phone shows. */
    messages: async (phone: string) =>
      (
        await call<{ data: ShownMessage[]; duplicates: number; undecryptable: number }>(
          "GET",
          `/phones/${phone}/messages`,
        )
      ).body,
    texts: async (phone: string) => {
      const { body } = await call<{ data?: ShownMessage[] }>("GET", `/phones/${phone}/messages`);
      return (body.data ?? []).map((message) => message.text);
    },
  };
}

let lastPhone = 49_170_000_000;
/** Returns a phone number that no other test of this process uses. */
export const freshPhone = () => String(++lastPhone);

/** Links a new client to a phone by QR code and returns its login. */
export async function paired(
  simulator: Pick<Simulator, "url" | "wsUrl"> & { token?: string },
  phone = freshPhone(),
): Promise<{ phone: string; auth: MemoryAuth }> {
  const api = control(simulator.url, simulator.token);
  await api.post("/phones", { phone, name: `Shop ${phone}` });
  const auth = memoryAuth();
  const sock = connect(simulator.wsUrl, auth);
  const { qr } = await connectionUpdate(sock, (update) => update.qr);
  const ended = ending(sock);
  const scanned = await api.post(`/phones/${phone}/scan`, { qr });
  if (scanned.status !== 200)
    throw new Error(`the scan was answered ${scanned.status}: ${JSON.stringify(scanned.body)}`);
  await ended;
  return { phone, auth };
}
