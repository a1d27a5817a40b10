import type { Harness } from "../../testing/harness.ts";

/** A broadcast without recipients. */
export const sale = { name: "Sale", text: "Hello {{name}}" };

/** The nth recipient, in the form of a request. */
export const person = (n: number) => ({ to: `+5511${String(n).padStart(9, "0")}`, fields: { name: `N${n}` } });

/** Creates broadcasts, each in a business of its own, and uploads tables to them. */
export function createBroadcastFixture(api: () => Harness) {
  async function newBroadcast(body: Record<string, unknown> = sale) {
    const { id: business, key } = await api().business();
    const path = `/v1/businesses/${business}/broadcasts`;
    const created = await api().request("POST", path, { key, body });
    return { business, key, path, created, one: `${path}/${created.body.id}` };
  }
  const upload = (one: string, key: string, csv: string | Uint8Array, type = "text/csv; charset=utf-8") =>
    api().request("POST", `${one}/recipients/upload`, { key, body: csv, headers: { "content-type": type } });
  return { newBroadcast, upload };
}
