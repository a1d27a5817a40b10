/* Requests to WhatsApp's media host, which stores encrypted files and never has their keys. */

/** The host refused; `status` is its HTTP status, or 0 if it is unreachable. */
export class HostRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  /** The host deleted the file or never had it. */
  get isGone(): boolean {
    return this.status === 404 || this.status === 410 || this.status === 403;
  }
}

/** The Origin header of WhatsApp Web. */
export const webOrigin = "https://web.whatsapp.com";

/** Downloads the file at a path. @throws HostRefusal */
export async function* download(
  host: string,
  directPath: string,
  { signal, proxy }: { signal: AbortSignal; proxy?: string | undefined },
): AsyncGenerator<Uint8Array> {
  const base = new URL(`https://${host}`);
  const url = new URL(directPath, base);
  // The sender chose the path: it must not lead to another host or scheme.
  if (url.origin !== base.origin) throw new HostRefusal(404, "The path leads to another host or scheme.");
  const response = await reachHost(url, { headers: { origin: webOrigin }, redirect: "error", signal }, proxy);
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new HostRefusal(response.status, `The media host answered ${response.status}`);
  }
  yield* response.body;
}

/** Sends a request through the egress proxy, if there is one. @throws HostRefusal */
export async function reachHost(url: URL, init: RequestInit, proxy: string | undefined): Promise<Response> {
  try {
    return await fetch(url, proxy === undefined ? init : { ...init, proxy });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HostRefusal(0, `The media host cannot be reached: ${reason}`, { cause });
  }
}
