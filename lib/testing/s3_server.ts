import { createHash, createHmac } from "node:crypto";
import { safeEqual, sha256Hex } from "../core/secret.ts";

/*
 * An in-memory S3 server with the features that the bucket store and pgBackRest use: objects, ranges, lists, multipart
 * uploads, and verified signatures (AWS Signature Version 4). The npm packages for this are unmaintained (s3rver, since
 * 2021) or replace the client instead of the server.
 */

export type S3Options = {
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  hostname?: string;
  /** A free one by default. */
  port?: number;
  /** Certificate and key, for clients that speak TLS only. */
  tls?: { cert: Bun.BunFile; key: Bun.BunFile };
};

export type S3Server = {
  endpoint: string;
  objects: Map<string, Uint8Array>;
  /** Multipart uploads that are neither completed nor aborted. */
  uploads: Map<string, Map<number, Uint8Array>>;
  /** Called before each request. A returned Response replaces the answer. */
  refuse: (request: Request) => Response | undefined;
  stop(): Promise<void>;
};

const smallestPart = 5 * 1024 * 1024;

export function startS3Server({
  bucket,
  accessKeyId,
  secretAccessKey,
  hostname = "127.0.0.1",
  port = 0,
  tls,
}: S3Options): S3Server {
  const objects = new Map<string, Uint8Array>();
  const uploads = new Map<string, Map<number, Uint8Array>>();
  const state: S3Server = { endpoint: "", objects, uploads, refuse: () => undefined, stop: async () => {} };

  const answer = async (request: Request): Promise<Response> => {
    const refused = state.refuse(request);
    if (refused) return refused;
    if (!isSigned(request, accessKeyId, secretAccessKey)) return failure(403, "SignatureDoesNotMatch");
    const { pathname, searchParams } = new URL(request.url);
    if (!`${pathname}/`.startsWith(`/${bucket}/`)) return failure(404, "NoSuchBucket");
    if (searchParams.get("list-type") === "2") return listing(objects, searchParams);
    if (request.method === "POST" && searchParams.has("delete")) {
      for (const [, key] of (await request.text()).matchAll(/<Key>([^<]*)<\/Key>/g)) objects.delete(unescaped(key!));
      return xml("<DeleteResult></DeleteResult>");
    }
    const key = decodeURIComponent(pathname.slice(bucket.length + 2));
    const uploadId = searchParams.get("uploadId");
    if (request.method === "POST" && searchParams.has("uploads")) {
      const id = crypto.randomUUID();
      uploads.set(id, new Map());
      return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (uploadId !== null) return part(key, uploadId, Number(searchParams.get("partNumber")), request);
    switch (request.method) {
      case "PUT":
        objects.set(key, await request.bytes());
        return new Response(null, { headers: { etag: etagOf(objects.get(key)!) } });
      case "DELETE":
        objects.delete(key);
        return new Response(null, { status: 204 });
      default:
        return read(objects.get(key), request);
    }
  };

  const part = async (key: string, uploadId: string, number: number, request: Request): Promise<Response> => {
    const parts = uploads.get(uploadId);
    if (parts === undefined) return failure(404, "NoSuchUpload");
    if (request.method === "PUT") {
      parts.set(number, await request.bytes());
      return new Response(null, { headers: { etag: etagOf(parts.get(number)!) } });
    }
    uploads.delete(uploadId);
    if (request.method === "DELETE") return new Response(null, { status: 204 });
    const inOrder = [...parts].toSorted(([a], [b]) => a - b).map(([, bytes]) => bytes);
    if (inOrder.slice(0, -1).some(({ length }) => length < smallestPart)) return failure(400, "EntityTooSmall");
    objects.set(key, Buffer.concat(inOrder));
    return xml(
      `<CompleteMultipartUploadResult><ETag>${etagOf(objects.get(key)!)}</ETag></CompleteMultipartUploadResult>`,
    );
  };

  const server = Bun.serve({
    hostname,
    port,
    maxRequestBodySize: 64 * 1024 * 1024,
    fetch: answer,
    ...(tls === undefined ? {} : { tls }),
  });
  state.endpoint = `${tls === undefined ? "http" : "https"}://${hostname}:${server.port}`;
  state.stop = () => server.stop(true);
  return state;
}

/** Keys on a page of a list: few, so that tests see several pages. */
const pageKeys = 100;

/** A page of the keys that begin with a prefix; with a delimiter, folders instead of the keys in them. */
function listing(objects: ReadonlyMap<string, Uint8Array>, parameters: URLSearchParams): Response {
  const [prefix, delimiter] = [parameters.get("prefix") ?? "", parameters.get("delimiter") ?? ""];
  const after = parameters.get("continuation-token") ?? "";
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix)).toSorted();
  const folderOf = (key: string) => {
    const end = delimiter === "" ? -1 : key.indexOf(delimiter, prefix.length);
    return end < 0 ? undefined : key.slice(0, end + 1);
  };
  const names = [...new Set(keys.map((key) => folderOf(key) ?? key))].filter((name) => name > after);
  const page = names.slice(0, pageKeys);
  const entries = page.map((name) => {
    const object = objects.get(name);
    if (object === undefined) return `<CommonPrefixes><Prefix>${escaped(name)}</Prefix></CommonPrefixes>`;
    const at = new Date().toISOString();
    return (
      `<Contents><Key>${escaped(name)}</Key><LastModified>${at}</LastModified>` +
      `<ETag>${escaped(etagOf(object))}</ETag><Size>${object.length}</Size></Contents>`
    );
  });
  const isTruncated = page.length < names.length;
  const next = isTruncated ? `<NextContinuationToken>${escaped(page.at(-1)!)}</NextContinuationToken>` : "";
  return xml(
    `<ListBucketResult><Prefix>${escaped(prefix)}</Prefix><KeyCount>${page.length}</KeyCount>` +
      `<IsTruncated>${isTruncated}</IsTruncated>${next}${entries.join("")}</ListBucketResult>`,
  );
}

const escaped = (text: string) => Bun.escapeHTML(text);
const unescaped = (text: string) =>
  text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

function read(object: Uint8Array | undefined, request: Request): Response {
  if (object === undefined) return failure(404, "NoSuchKey", request.method === "HEAD");
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  const headers = { etag: etagOf(object), "last-modified": new Date().toUTCString() };
  if (request.method === "HEAD")
    return new Response(null, { headers: { ...headers, "content-length": String(object.length) } });
  if (range === null) return new Response(Buffer.from(object), { headers });
  const [start, end] = [
    Number(range[1]),
    range[2] === "" ? object.length - 1 : Math.min(Number(range[2]), object.length - 1),
  ];
  if (start > end) return failure(416, "InvalidRange");
  const contentRange = { "content-range": `bytes ${start}-${end}/${object.length}` };
  return new Response(Buffer.from(object.subarray(start, end + 1)), {
    status: 206,
    headers: { ...headers, ...contentRange },
  });
}

/** Verifies the request's AWS Signature Version 4. */
function isSigned(request: Request, accessKeyId: string, secretAccessKey: string): boolean {
  const form = new RegExp(
    "^AWS4-HMAC-SHA256 Credential=([^/]+)/(\\d{8})/([^/]+)/s3/aws4_request, ?" +
      "SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$",
  );
  const [, keyId, day, region, signedHeaders, signature] = form.exec(request.headers.get("authorization") ?? "") ?? [];
  if (
    keyId !== accessKeyId ||
    day === undefined ||
    region === undefined ||
    signedHeaders === undefined ||
    signature === undefined
  )
    return false;
  const url = new URL(request.url);
  const encoded = (text: string) =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...url.searchParams].map(([name, value]) => `${encoded(name)}=${encoded(value)}`).toSorted();
  const headers = signedHeaders.split(";").map((name) => `${name}:${(request.headers.get(name) ?? "").trim()}\n`);
  const payload = request.headers.get("x-amz-content-sha256") ?? "";
  const canonical = [request.method, url.pathname, query.join("&"), headers.join(""), signedHeaders, payload].join(
    "\n",
  );
  const scope = `${day}/${region}/s3/aws4_request`;
  const toSign = ["AWS4-HMAC-SHA256", request.headers.get("x-amz-date") ?? "", scope, sha256Hex(canonical)].join("\n");
  const key = [day, region, "s3", "aws4_request"].reduce<Buffer | string>(
    (made, step) => hmac(made, step),
    `AWS4${secretAccessKey}`,
  );
  return safeEqual(hmac(key, toSign).toString("hex"), signature);
}

const hmac = (key: Buffer | string, text: string) => createHmac("sha256", key).update(text).digest();
const etagOf = (bytes: Uint8Array) => `"${createHash("md5").update(bytes).digest("hex")}"`;
const xml = (body: string, status = 200) =>
  new Response(`<?xml version="1.0" encoding="UTF-8"?>${body}`, {
    status,
    headers: { "content-type": "application/xml" },
  });
const failure = (status: number, code: string, silent = false) =>
  silent
    ? new Response(null, { status })
    : xml(`<Error><Code>${code}</Code><Message>${code}</Message></Error>`, status);
