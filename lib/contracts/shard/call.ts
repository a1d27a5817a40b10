import { z } from "zod";
import { AppError, messageOf } from "../../core/errors.ts";
import type { ErrorCode } from "../../core/errors.ts";
import { deadline } from "../../core/time.ts";
import { jsonOrUndefined } from "../../core/json.ts";
import { currentTraceparent } from "../../tracing/index.ts";
import { shardToken } from "./secrets.ts";

/** The address of a shard, as the router's `locate` and `shard` return it. */
export type ShardLocation = { shard: number; url: string };

export type ShardClientOptions = {
  /** SHARD_TOKEN: the root secret from which each shard's token is derived. It never leaves this process. */
  token: string;
  /** Timeout of a request. A batch of 50 texts takes less than 5 s on a healthy session. */
  timeoutMs?: number;
};

/** The body of a request to a shard: JSON or raw bytes. */
export type Body = { json: unknown } | { bytes: Uint8Array<ArrayBuffer>; type: string };

/** Sends a request with the shard's token. @throws AppError unless the shard answers 2xx, see `ShardClient`. */
export type ShardCall = (at: ShardLocation, method: string, path: string, body?: Body) => Promise<Response>;

const codeOfStatus = new Map<number, ErrorCode>([
  [400, "invalid_request"],
  [404, "not_found"],
  [409, "conflict"],
  [429, "unavailable"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "upstream_timeout"],
]);

const problem = z.looseObject({ detail: z.string().optional(), title: z.string().optional() });

export function createShardCall({ token: root, timeoutMs = 15_000 }: ShardClientOptions): ShardCall {
  const tokens = new Map<number, string>();
  const tokenOf = (shard: number) => {
    const token = tokens.get(shard) ?? shardToken(root, shard);
    tokens.set(shard, token);
    return token;
  };
  return async (at, method, path, body) => {
    const type = body === undefined ? undefined : "json" in body ? "application/json" : body.type;
    const traceparent = currentTraceparent();
    const response = await fetch(new URL(path, at.url), {
      method,
      headers: {
        authorization: `Bearer ${tokenOf(at.shard)}`,
        "x-shard": `${at.shard}`,
        ...(type === undefined ? {} : { "content-type": type }),
        ...(traceparent === undefined ? {} : { traceparent }),
      },
      ...(body === undefined ? {} : { body: "json" in body ? JSON.stringify(body.json) : body.bytes }),
      redirect: "error",
      signal: deadline(timeoutMs),
    }).catch((cause: unknown) => {
      throw unreachable(at, cause);
    });
    if (response.ok) return response;
    throw errorOf(at, response, await problemOf(at, response));
  };
}

/** Limit of a JSON body: four pages of a journal, or the groups of a large account. */
const maxJsonBytes = 16 * 1024 * 1024;
/** Limit of a bundle: a login with its ledger. */
const maxBundleBytes = 128 * 1024 * 1024;
/** Limit of a problem document. */
const maxProblemBytes = 64 * 1024;

/** Reads and parses a JSON answer. @throws AppError "internal" if it breaks the schema. */
export async function jsonOf<T>(at: ShardLocation, schema: z.ZodType<T>, response: Response): Promise<T> {
  const text = new TextDecoder().decode(await bodyOf(at, response, maxJsonBytes));
  const parsed = schema.safeParse(parseJson(at, text));
  if (parsed.success) return parsed.data;
  throw contractBreach(at, `broke the contract: ${faultsOf(parsed.error)}`);
}

/** Reads the bytes of an answer. */
export async function bytesOf(at: ShardLocation, response: Response): Promise<Uint8Array<ArrayBuffer>> {
  return bodyOf(at, response, maxBundleBytes);
}

/** Reads a body of at most `maxBytes`, so that a compromised shard cannot fill the memory of its callers. */
async function bodyOf(at: ShardLocation, response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  const { body, headers } = response;
  if (body === null) return new Uint8Array();
  const length = Number(headers.get("content-length") ?? Number.NaN);
  const chunks: Uint8Array[] = [];
  try {
    // The HTTP client enforces a Content-Length, unless the body is compressed.
    if (length <= maxBytes && !headers.has("content-encoding")) return await response.bytes();
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > maxBytes) throw contractBreach(at, `sent more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unreachable(at, cause);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

function unreachable(at: ShardLocation, cause: unknown): AppError {
  const timedOut = cause instanceof Error && (cause.name === "TimeoutError" || cause.name === "AbortError");
  return timedOut
    ? new AppError("upstream_timeout", `Shard ${at.shard} did not answer in time. Retry.`, {
        cause,
        retryAfterS: 2,
      })
    : new AppError("unavailable", `Shard ${at.shard} is unavailable. Retry shortly.`, {
        cause,
        retryAfterS: 2,
      });
}

/** Turns an error answer and its problem document into an AppError. */
function errorOf(at: ShardLocation, response: Response, text: string): AppError {
  const parsed = problem.safeParse(jsonOrUndefined(text)).data;
  const detail = parsed?.detail ?? parsed?.title ?? `HTTP ${response.status}`;
  const code = codeOfStatus.get(response.status) ?? "internal";
  const seconds = Number(response.headers.get("retry-after") ?? Number.NaN);
  const retryAfterS = Number.isFinite(seconds) ? seconds : code === "unavailable" ? 2 : undefined;
  if (code === "internal") return contractBreach(at, `answered ${response.status}: ${detail}`);
  return new AppError(code, detail, retryAfterS === undefined ? {} : { retryAfterS });
}

/** The shard broke the contract. That is our own fault, so the details go into the cause and not to the caller. */
export function contractBreach(at: ShardLocation, what: string): AppError {
  return new AppError("internal", `Shard ${at.shard} sent an invalid answer.`, {
    cause: new Error(`shard ${at.shard} ${what}`),
  });
}

export function faultsOf(error: z.ZodError): string {
  return error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
}

function parseJson(at: ShardLocation, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw contractBreach(at, `sent invalid JSON: ${messageOf(error)}`);
  }
}

/** Reads a problem document; empty if it cannot be read. */
async function problemOf(at: ShardLocation, response: Response): Promise<string> {
  return bodyOf(at, response, maxProblemBytes).then(
    (bytes) => new TextDecoder().decode(bytes),
    () => "",
  );
}
