import { z } from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import type { MediaKind } from "../../../lib/media/index.ts";

/* WhatsApp's media host stores encrypted files and never has their keys. */

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

const origin = "https://web.whatsapp.com";

/**
 * Filters a session's media hosts: only WhatsApp's and the configured one may receive files and the upload token,
 * whatever a shard reports.
 */
export function allowedHosts(hosts: readonly string[], configured: string): string[] {
  return hosts.filter((host) => host === configured || isWhatsApp(host));
}

function isWhatsApp(host: string): boolean {
  const url = URL.parse(`https://${host}`);
  // A difference means a port, a path or credentials.
  return url !== null && url.hostname === host && host.endsWith(".whatsapp.net");
}

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
  const response = await reach(url, { headers: { origin }, redirect: "error", signal }, proxy);
  if (!response.ok || response.body === null) {
    await response.body?.cancel();
    throw new HostRefusal(response.status, `The media host answered ${response.status}`);
  }
  yield* response.body;
}

const paths: Record<MediaKind, string> = {
  image: "/mms/image",
  sticker: "/mms/image",
  video: "/mms/video",
  audio: "/mms/audio",
  document: "/mms/document",
};

const uploaded = z.object({ direct_path: z.string().min(1) });

export type Upload = {
  host: string;
  auth: string;
  kind: MediaKind;
  fileEncSha256: Uint8Array;
  /** Content length. */
  length: number;
  bytes: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
  /** The egress proxy of the business. */
  proxy?: string | undefined;
};

/** Uploads an encrypted file; resolves with its path. @throws HostRefusal */
export async function upload({
  host,
  auth,
  kind,
  fileEncSha256,
  length,
  bytes,
  signal,
  proxy,
}: Upload): Promise<string> {
  const token = Buffer.from(fileEncSha256).toString("base64url");
  const url = new URL(`${paths[kind]}/${token}`, `https://${host}`);
  url.search = new URLSearchParams({ auth, token }).toString();
  const request = {
    method: "POST",
    headers: { origin, "content-type": "application/octet-stream", "content-length": String(length) },
    // Bun streams an iterable under the given content length, with backpressure.
    body: bytes as unknown as BodyInit,
    redirect: "error",
    signal,
  } as const;
  const response = await reach(url, request, proxy);
  const answer: unknown = response.ok ? await response.json().catch(() => undefined) : await response.body?.cancel();
  const parsed = uploaded.safeParse(answer);
  if (!parsed.success)
    throw new HostRefusal(response.status, `The media host refused the file with HTTP ${response.status}`);
  return parsed.data.direct_path;
}

async function reach(url: URL, init: RequestInit, proxy: string | undefined): Promise<Response> {
  try {
    return await fetch(url, proxy === undefined ? init : { ...init, proxy });
  } catch (cause) {
    throw new HostRefusal(0, `The media host cannot be reached: ${messageOf(cause)}`, { cause });
  }
}
