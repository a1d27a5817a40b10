import { createHash } from "node:crypto";
import { sessionOf } from "../../testing/fake_shards.ts";
import { createHarness } from "../../testing/harness.ts";
import { createTestMedia } from "../../testing/media.ts";

export const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

type Uploaded = { id: string; mime: string; size: number; sha256: string; url: string; thumbnail_url?: string };

export const digestOf = (bytes: Uint8Array) => `sha-256=:${createHash("sha256").update(bytes).digest("base64")}:`;

/** An API whose files are in memory, with a paired business and another one. */
export async function createMediaFixture() {
  const media = createTestMedia("https://api.example.com");
  const api = await createHarness({ media });
  const [business, other] = [await api.business(), await api.business()];
  await api.request("POST", `/v1/businesses/${business.id}/whatsapp/connect`, { body: { method: "qr" } });
  api.shards.sessions.set(business.id, sessionOf(business.id));

  /** Uploads a body, by default as the paired business. */
  const upload = async (body: BodyInit, headers: Record<string, string> = {}, { id, key } = business) => {
    const response = await api.app.request(`/v1/businesses/${id}/media`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, ...headers },
      body,
    });
    return { status: response.status, body: (await response.json()) as Uploaded & { detail: string } };
  };
  /** Downloads a signed URL. */
  const download = (url: string, headers: Record<string, string> = {}) => {
    const { pathname, search } = new URL(url);
    return api.app.request(`${pathname}${search}`, { headers });
  };
  return { api, media, business, other, upload, download };
}
export type MediaFixture = Awaited<ReturnType<typeof createMediaFixture>>;
