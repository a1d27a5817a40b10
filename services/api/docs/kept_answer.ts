import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Context } from "hono";
import { accepts } from "hono/accepts";

const compress = promisify(gzip);

/** Unlike the default, omits what the client refuses with q=0. */
const match: Parameters<typeof accepts>[1]["match"] = (accepted, { supports, default: otherwise }) =>
  accepted.find(({ type, q }) => q > 0 && supports.includes(type))?.type ?? otherwise;

/**
 * Answers each request with the text that `make` returned for the first one, and with its one compressed copy where the
 * client takes gzip. Visitors need no key: a page that the API serialized and the edge compressed for each of them took
 * more than 10 ms of processors.
 */
export function keptAnswer(type: string, make: () => string | Promise<string>, headers: Record<string, string> = {}) {
  let kept: Promise<{ plain: Uint8Array<ArrayBuffer>; packed: Uint8Array<ArrayBuffer> }> | undefined;
  const build = async () => {
    const plain = new TextEncoder().encode(await make());
    return { plain, packed: new Uint8Array(await compress(plain)) };
  };
  return async (c: Context) => {
    const { plain, packed } = await (kept ??= build());
    const encoding = accepts(c, { header: "Accept-Encoding", supports: ["gzip"], default: "identity", match });
    const common = { ...headers, "content-type": type, vary: "accept-encoding" };
    if (encoding === "identity") return c.body(plain, 200, common);
    return c.body(packed, 200, { ...common, "content-encoding": encoding });
  };
}
