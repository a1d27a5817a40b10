import { AppError } from "../../lib/core/errors.ts";
import { deadline } from "../../lib/core/time.ts";

/** Nomad's answer is no success; a status of its own is in `status`. */
export class NomadFailure extends AppError {
  readonly status: number;
  constructor(status: number, message: string) {
    super("unavailable", message);
    this.status = status;
  }
}

export type Nomad = (method: "GET" | "POST", path: string, body?: unknown) => Promise<unknown>;

export type NomadOptions = {
  /** http(s)://host:port, or unix:///path of the socket in a task. */
  addr: string;
  token?: string | undefined;
};

/** A round takes ten seconds. */
const timeoutMs = 5_000;

/** A JSON client of Nomad's API; ours because Nomad has no client for JavaScript that is maintained. */
export function createNomad({ addr, token }: NomadOptions): Nomad {
  const socket = addr.startsWith("unix://") ? new URL(addr).pathname : undefined;
  const base = socket === undefined ? addr : "http://localhost";
  return async (method, path, body) => {
    const response = await fetch(new URL(path, base), {
      method,
      headers: token === undefined ? {} : { "x-nomad-token": token },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(socket === undefined ? {} : { unix: socket }),
      signal: deadline(timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new NomadFailure(response.status, `${method} ${path}: ${response.status} ${text.trim()}`);
    return JSON.parse(text) as unknown;
  };
}
