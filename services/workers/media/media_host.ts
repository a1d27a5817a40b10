import { z } from "zod";
import { HostRefusal, reachHost, webOrigin } from "../../../lib/media/index.ts";
import type { MediaKind } from "../../../lib/media/index.ts";

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
    headers: { origin: webOrigin, "content-type": "application/octet-stream", "content-length": String(length) },
    // Bun streams an iterable under the given content length, with backpressure.
    body: bytes as unknown as BodyInit,
    redirect: "error",
    signal,
  } as const;
  const response = await reachHost(url, request, proxy);
  const answer: unknown = response.ok ? await response.json().catch(() => undefined) : await response.body?.cancel();
  const parsed = uploaded.safeParse(answer);
  if (!parsed.success)
    throw new HostRefusal(response.status, `The media host refused the file with HTTP ${response.status}`);
  return parsed.data.direct_path;
}
