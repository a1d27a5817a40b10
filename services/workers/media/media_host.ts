import { z } from "zod";
import { messageOf } from "../../../lib/core/errors.ts";
import type { MediaKind } from "../../../lib/media/index.ts";

/* WhatsApp's media host, which keeps encrypted files and knows nothing of their content. */

/** The host said no; `status` is its HTTP status, 0 where it could not be reached. */
export class HostRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }

  /** It has the file no longer, or never had it. */
  get isGone(): boolean {
    return this.status === 404 || this.status === 410 || this.status === 403;
  }
}

const origin = "https://web.whatsapp.com";

/**
 * Of the hosts that a session was told, those that are WhatsApp's or are configured: files and the token for uploads go
 * to no other host, whatever a shard says.
 */
export function allowedHosts(hosts: readonly string[], configured: string): string[] {
  return hosts.filter((host) => host === configured || isWhatsApp(host));
}

function isWhatsApp(host: string): boolean {
  const url = URL.parse(`https://${host}`);
  // Written otherwise, it has a port, a path or credentials.
  return url !== null && url.hostname === host && host.endsWith(".whatsapp.net");
}

/** What the host keeps at a path. @throws HostRefusal */
export async function* download(host: string, directPath: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const base = new URL(`https://${host}`);
  const url = new URL(directPath, base);
  // A path comes from a stranger: it must not lead to another host, nor to another scheme.
  if (url.origin !== base.origin) throw new HostRefusal(404, "The path leads to another host or is not https.");
  const response = await reach(url, { headers: { origin }, redirect: "error", signal });
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
  /** Bytes that follow. */
  length: number;
  bytes: AsyncIterable<Uint8Array>;
  signal: AbortSignal;
};

/** Puts an encrypted file there; resolves with its path. @throws HostRefusal */
export async function upload({ host, auth, kind, fileEncSha256, length, bytes, signal }: Upload): Promise<string> {
  const token = Buffer.from(fileEncSha256).toString("base64url");
  const url = new URL(`${paths[kind]}/${token}`, `https://${host}`);
  url.search = new URLSearchParams({ auth, token }).toString();
  const response = await reach(url, {
    method: "POST",
    headers: { origin, "content-type": "application/octet-stream", "content-length": String(length) },
    // Bun sends what is iterated as it comes, under the length that was said, and waits for the host to take it.
    body: bytes as unknown as BodyInit,
    redirect: "error",
    signal,
  });
  const answer: unknown = response.ok ? await response.json().catch(() => undefined) : await response.body?.cancel();
  const parsed = uploaded.safeParse(answer);
  if (!parsed.success)
    throw new HostRefusal(response.status, `The media host did not take the file: it answered ${response.status}`);
  return parsed.data.direct_path;
}

async function reach(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new HostRefusal(0, `The media host cannot be reached: ${messageOf(cause)}`, { cause });
  }
}
