import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { uuidv7 } from "../../core/ids.ts";
import { createMigratedDatabase } from "../../testing/database.ts";
import type { MigratedDatabase } from "../../testing/database.ts";
import {
  abandonMedia,
  addFetches,
  beginMedia,
  claimFetch,
  claimUpload,
  condemnMedia,
  deleteBusiness,
  deleteMedia,
  describeMedia,
  dueMedia,
  finishMedia,
  finishUpload,
  forBusiness,
  forgetMedia,
  forPlatform,
  getMedia,
  insertBusiness,
  insertInbound,
  nextUndescribed,
  postponeFetch,
  releaseUploads,
  settleFetch,
  useMedia,
  wantUploads,
} from "../index.ts";
import type { BusinessScope } from "../index.ts";

let database: MigratedDatabase;
beforeAll(async () => {
  database = await createMigratedDatabase();
});
afterAll(() => database.close());

const platform = () => forPlatform(database.db);
async function business(): Promise<BusinessScope> {
  const id = uuidv7();
  await insertBusiness(platform(), { id, name: "Test", time_zone: "UTC" });
  return forBusiness(database.db, id);
}
const contentOf = (text: string) => ({
  sha256: createHash("sha256").update(text).digest("hex"),
  size: text.length,
  mime: "text/plain",
});
const begin = async (scope: BusinessScope) => {
  const id = uuidv7();
  expect(await beginMedia(scope, { id, storage_key: `media/${id}` })).toBeTrue();
  return id;
};
const stored = async (scope: BusinessScope, text: string) =>
  (await finishMedia(scope, await begin(scope), contentOf(text))).media;
const row = async (id: string) => (await database.owner`select * from media where id = ${id}`)[0];
const pointer = () => ({
  direct_path: "/v/one?x=1",
  media_key: randomBytes(32).toString("base64"),
  file_sha256: randomBytes(32).toString("base64"),
  file_enc_sha256: randomBytes(32).toString("base64"),
  file_length: 5,
});

describe("media", () => {
  test("is stored once per business and content", async () => {
    const [one, other] = [await business(), await business()];
    const ids = await Promise.all(Array.from({ length: 8 }, () => begin(one)));
    const results = await Promise.all(ids.map((id) => finishMedia(one, id, contentOf("same"))));
    const winners = new Set(results.map(({ media }) => media.id));
    expect(winners.size).toBe(1);
    expect(results.filter(({ fresh }) => fresh)).toHaveLength(1);
    for (const id of ids) expect((await row(id))?.["deleted_at"] === null).toBe(winners.has(id));
    expect((await stored(other, "same")).id).not.toBe([...winners][0]!);
  });

  test("is invisible to other businesses", async () => {
    const [one, other] = [await business(), await business()];
    const { id } = await stored(one, "mine");
    expect(await getMedia(other, id)).toBeUndefined();
    expect(await useMedia(other, id)).toBeUndefined();
    expect(await deleteMedia(other, id)).toBeFalse();
    expect((await wantUploads(other, [{ media_id: id, kind: "image" }]))[0]).toMatchObject({
      status: "failed",
      media: null,
    });
    expect((await getMedia(one, id))?.mime).toBe("text/plain");
  });

  test("is not returned before it is stored", async () => {
    const scope = await business();
    const id = await begin(scope);
    expect(await getMedia(scope, id)).toBeUndefined();
    await abandonMedia(scope, id);
    await expect(finishMedia(scope, id, contentOf("late"))).rejects.toThrow("removed");
    expect(await beginMedia(forBusiness(database.db, uuidv7()), { id: uuidv7(), storage_key: "media/x" })).toBeFalse();
  });

  test("carries its description", async () => {
    const scope = await business();
    const { id } = await stored(scope, "picture");
    await database.owner`update media set created_at = now() - interval '1 minute' where id = ${id}`;
    expect((await dueMedia(platform(), 100)).undescribed).toContain(scope.businessId);
    expect(await nextUndescribed(scope)).toMatchObject({ id });
    await describeMedia(scope, id, {
      width: 3,
      height: 4,
      seconds: null,
      thumbnail_key: "media/thumb",
      preview: "abcd",
    });
    expect(await getMedia(scope, id)).toMatchObject({
      width: 3,
      height: 4,
      seconds: null,
      thumbnail_key: "media/thumb",
    });
    expect((await dueMedia(platform(), 100)).undescribed).not.toContain(scope.businessId);
    expect(await nextUndescribed(scope)).toBeUndefined();
  });
});

describe("fetches", () => {
  test("end once and record their result", async () => {
    const scope = await business();
    const at = pointer();
    const content = { type: "image" as const, media: { mime: "image/png", pointer: at }, caption: "look" };
    const id = uuidv7();
    const message = {
      id,
      business_id: scope.businessId,
      wa_message_id: "A",
      chat: "c",
      sender: "c",
      from_me: false,
      at: new Date(),
      type: "image",
      content,
    };
    await insertInbound(platform(), [message]);
    const fetch = { message_id: id, business_id: scope.businessId, kind: "image" as const, pointer: at };
    await addFetches(platform(), [fetch]);
    await addFetches(platform(), [fetch]);
    expect((await dueMedia(platform(), 100)).fetches).toContain(scope.businessId);
    expect(await claimFetch(scope)).toMatchObject({
      work: { kind: "image", pointer: at, wa_message_id: "A", chat: "c", direction: "inbound", attempts: 1 },
    });
    expect(await claimFetch(scope)).toEqual({ dueAt: expect.any(Date) });

    await postponeFetch(scope, id, {
      at: new Date(Date.now() + 60_000),
      error: "away",
      pointer: { ...at, direct_path: "/v/two" },
    });
    expect((await dueMedia(platform(), 100)).fetches).not.toContain(scope.businessId);
    await postponeFetch(scope, id, { at: new Date(Date.now() - 60_000), error: "away" });
    expect(await claimFetch(scope)).toMatchObject({ work: { attempts: 2, pointer: { direct_path: "/v/two" } } });

    const media = await stored(scope, "fetched");
    const settled = await settleFetch(scope, id, { media });
    expect(settled?.content).toEqual({
      type: "image",
      media: { id: media.id, mime: "text/plain", size: 7 },
      caption: "look",
    });
    expect((await getMedia(scope, media.id))?.used_at).not.toBeNull();
    expect(await settleFetch(scope, id, { error: "late" })).toBeUndefined();
    expect(await claimFetch(scope)).toBeUndefined();
  });
});

describe("uploads", () => {
  test("are requested once and again when old", async () => {
    const scope = await business();
    const { id } = await stored(scope, "upload");
    const wanted = { media_id: id, kind: "document" as const };
    for (let i = 0; i < 2; i++)
      expect(await wantUploads(scope, [wanted, wanted])).toMatchObject([
        { ...wanted, status: "pending", media: { size: 6 } },
      ]);
    expect(await claimUpload(scope)).toEqual({ dueAt: expect.any(Date) });
    await releaseUploads(scope, [wanted]);
    expect(await claimUpload(scope)).toMatchObject({ work: { attempts: 1, media: { id, mime: "text/plain" } } });
    expect(await claimUpload(scope)).toEqual({ dueAt: expect.any(Date) });
    const at = pointer();
    await finishUpload(scope, wanted, { status: "ready", pointer: at });
    expect(await claimUpload(scope)).toBeUndefined();
    expect(await wantUploads(scope, [wanted])).toMatchObject([{ status: "ready", pointer: at }]);
    expect(await wantUploads(scope, [{ ...wanted, kind: "image" }])).toMatchObject([
      { status: "pending", pointer: null },
    ]);
    await database.owner`
    update media_uploads set settled_at = now() - interval '15 days' where media_id = ${id} and kind = 'document'`;
    expect(await wantUploads(scope, [wanted])).toMatchObject([{ status: "pending", pointer: null }]);
    await finishUpload(scope, wanted, { status: "failed", error: "no" });
    expect(await wantUploads(scope, [wanted])).toMatchObject([{ status: "failed", error: "no" }]);
    await database.owner`
    update media_uploads set settled_at = now() - interval '2 minutes' where media_id = ${id} and kind = 'document'`;
    expect(await wantUploads(scope, [wanted])).toMatchObject([{ status: "pending", error: null }]);
  });
});

describe("condemned media", () => {
  test("includes old, orphaned and deleted media only", async () => {
    const [scope, closed] = [await business(), await business()];
    const days = (n: number) => new Date(Date.now() - n * 86_400_000).toISOString();
    const made = async (text: string, changes: { created_at?: string; used_at?: string }, of = scope) => {
      const { id } = await stored(of, text);
      if (changes.created_at)
        await database.owner`update media set created_at = ${changes.created_at} where id = ${id}`;
      if (changes.used_at) await database.owner`update media set used_at = ${changes.used_at} where id = ${id}`;
      return id;
    };
    const kept = [await made("new", {}), await made("used", { created_at: days(40), used_at: days(5) })];
    const deleted = await made("deleted", {});
    await deleteMedia(scope, deleted);
    const unfinished = await begin(scope);
    await database.owner`update media set created_at = ${days(2)} where id = ${unfinished}`;
    const gone = [
      await made("orphan", { created_at: days(8) }),
      await made("long ago", { created_at: days(400), used_at: days(366) }),
      deleted,
      unfinished,
      await made("of a closed business", { used_at: days(0) }, closed),
    ];
    await deleteBusiness(closed);

    const ofTest = async (retention: { orphanDays: number; usedDays: number | null }) =>
      (await condemnMedia(platform(), retention, 1_000))
        .map(({ id }) => id)
        .filter((id) => [...kept, ...gone].includes(id));
    expect((await ofTest({ orphanDays: 7, usedDays: 365 })).toSorted()).toEqual(gone.toSorted());
    for (const id of gone) expect(await getMedia(scope, id)).toBeUndefined();
    await forgetMedia(platform(), gone);
    expect(await ofTest({ orphanDays: 7, usedDays: 365 })).toEqual([]);
    expect(await row(gone[0]!)).toBeUndefined();
    expect(await row(kept[0]!)).toBeDefined();
    // The content may come again.
    expect((await stored(scope, "orphan")).id).not.toBe(gone[0]!);
  });
});
