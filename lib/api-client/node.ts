import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Readable } from "node:stream";
import type { ApiClientOptions } from "./client.ts";

/**
 * A fetch for Node.js that trusts `ca` (PEM), which Node's own fetch does not support. Follows no redirects.
 * @example createApiClient({ baseUrl, key, fetch: trusting(ca) })
 */
export function trusting(ca: string): NonNullable<ApiClientOptions["fetch"]> {
  return async (request, { signal } = {}) => {
    const body = request.body === null ? undefined : Buffer.from(await request.arrayBuffer());
    const options = {
      method: request.method,
      headers: Object.fromEntries(request.headers),
      ca,
      ...(signal ? { signal } : {}),
    };
    return new Promise((resolve, reject) => {
      const sent = httpsRequest(request.url, options, (answer) => resolve(responseOf(answer, request.method)));
      sent.on("error", reject).end(body);
    });
  };
}

function responseOf(answer: IncomingMessage, method: string): Response {
  const status = answer.statusCode ?? 502;
  const isEmpty = status === 204 || status === 304 || method === "HEAD";
  if (isEmpty) answer.resume();
  const headers = new Headers();
  for (const [name, values] of Object.entries(answer.headersDistinct)) {
    for (const value of values ?? []) headers.append(name, value);
  }
  const stream = isEmpty ? null : (Readable.toWeb(answer) as unknown as ReadableStream<Uint8Array>);
  return new Response(stream, { status, statusText: answer.statusMessage ?? "", headers });
}
