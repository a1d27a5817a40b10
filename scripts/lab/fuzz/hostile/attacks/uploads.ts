import { isRefused, kind, survives } from "../kind.ts";
import type { Attack, AttackKind, Random } from "../kind.ts";
import { bomb, bombFormats, brokenFile, polyglot, picture, truncated } from "../files.ts";
import { encodeRequest } from "../wire.ts";

/* Files of a tenant, in both directions, and streams of events. */

const octets = { "content-type": "application/octet-stream" };
const upload = (attack: Attack, body: Uint8Array, headers: Record<string, string> = octets) =>
  attack.asTenant("POST", "/media", body, headers);

function openUpload(attack: Attack, bytes: number): string {
  const { id, key } = attack.tenant;
  const lines = [`POST /v1/businesses/${id}/media HTTP/1.1`, "Host: localhost", `Authorization: Bearer ${key}`];
  return `${[...lines, "Content-Type: application/octet-stream", `Content-Length: ${bytes}`].join("\r\n")}\r\n\r\n`;
}

/** Signed path of a file of the tenant that fills every buffer between storage and client. */
const kept = new Map<string, Promise<string | undefined>>();
function largeFile(attack: Attack): Promise<string | undefined> {
  const { id } = attack.tenant;
  const known = kept.get(id) ?? uploadLarge(attack);
  kept.set(id, known);
  return known;
}
async function uploadLarge(attack: Attack): Promise<string | undefined> {
  const answer = await upload(attack, Buffer.alloc(8 * 1024 * 1024, attack.tenant.id));
  if (answer === null || answer.status >= 300) return undefined;
  const url = new URL((JSON.parse(answer.body) as { url: string }).url);
  return url.pathname + url.search;
}

export const uploadAttacks: AttackKind[] = [
  kind(
    "tenant",
    "uploads-one-byte",
    async (attack) => {
      const line = await attack.line();
      await line.write(openUpload(attack, 50_000_000));
      for (let n = 0; n < 8 && !line.isClosed; n++) {
        await line.write("x");
        await line.hold(500);
      }
      return undefined;
    },
    { count: 1_060, width: 1_060, budgetMs: 60_000 },
  ),
  kind(
    "tenant",
    "uploads-abandoned",
    async (attack, random) => {
      const line = await attack.line();
      await line.write(openUpload(attack, 10_000_000));
      await line.write(Buffer.alloc(1 + random.below(500_000), 1));
      line.close();
      return undefined;
    },
    { count: 80, width: 16 },
  ),
  kind("tenant", "uploads-multipart", async (attack, random) => {
    const content = `the content of a file ${random.below(1e9)}`;
    const boundary = random.pick(["x", "-".repeat(70), "a b"]);
    const disposition = 'Content-Disposition: form-data; name="file"; filename="a.txt"';
    const part = `--${boundary}\r\n${disposition}\r\nContent-Type: text/plain\r\n\r\n`;
    const body = Buffer.from(`${part}${content}\r\n--${boundary}--\r\n`);
    const answer = await upload(attack, body, { "content-type": `multipart/form-data; boundary="${boundary}"` });
    if (answer === null || answer.status >= 300) return survives(answer);
    const { size } = JSON.parse(answer.body) as { size: number };
    return size === Buffer.byteLength(content)
      ? undefined
      : `stored ${size} bytes, with the envelope, instead of ${content.length}`;
  }),
  kind("tenant", "uploads-multipart-broken", async (attack, random) => {
    const body = random.pick([
      "--x\r\n",
      "--x--",
      "",
      "--x\r\nContent-Disposition: form-data\r\n\r\n".repeat(5_000),
      "x".repeat(300_000),
    ]);
    const type = random.pick([
      "multipart/form-data; boundary=x",
      "multipart/form-data",
      `multipart/form-data; boundary=${"x".repeat(5_000)}`,
    ]);
    return survives(await upload(attack, Buffer.from(body), { "content-type": type }));
  }),
  kind("tenant", "uploads-digest", async (attack, random) => {
    const digest = random.pick([`sha-256=:${"A".repeat(43)}=:`, "sha-256=::", "md5=:x:", "x".repeat(7_000)]);
    return isRefused(await upload(attack, Buffer.from("x"), { ...octets, "content-digest": digest }));
  }),
  ...bombFormats.map((format) =>
    kind(
      "tenant",
      `bomb-${format}`,
      async (attack, random) => survives(await upload(attack, await bomb(format, random))),
      {
        count: 6,
        width: 3,
        settles: true,
        budgetMs: 30_000,
      },
    ),
  ),
  kind(
    "tenant",
    "pictures-truncated",
    async (attack, random) => survives(await upload(attack, await truncated(random))),
    {
      settles: true,
    },
  ),
  kind("tenant", "pictures-many", async (attack, random) => survives(await upload(attack, await picture(random))), {
    count: 60,
    settles: true,
  }),
  kind("tenant", "files-broken", async (attack, random) => survives(await upload(attack, brokenFile(random))), {
    settles: true,
  }),
  kind(
    "tenant",
    "files-polyglot",
    async (attack, random) => {
      const type = random.pick([
        "image/png",
        "text/html",
        "application/pdf",
        "image/svg+xml",
        "application/octet-stream",
        "x",
        "a/b; c=\u00e9",
      ]);
      return survives(await upload(attack, await polyglot(random), { "content-type": type }));
    },
    { settles: true },
  ),
  kind(
    "tenant",
    "downloads-stalled",
    async (attack) => {
      const path = await largeFile(attack);
      if (path === undefined) return undefined;
      const line = await attack.line();
      await line.write(encodeRequest({ method: "GET", path }));
      line.stall();
      await line.hold(5_000);
      return undefined;
    },
    { count: 500, width: 500, budgetMs: 60_000 },
  ),
  kind("tenant", "downloads-ranges", async (attack, random) => {
    const path = await largeFile(attack);
    if (path === undefined) return undefined;
    const ranges = [
      "bytes=0-0",
      "bytes=-1",
      "bytes=99999999999-",
      "bytes=5-1",
      `bytes=${"0-1,".repeat(1_000)}2-3`,
      "bytes=-0",
      "lines=1-2",
    ];
    const line = await attack.line();
    await line.write(encodeRequest({ method: "GET", path, headers: { range: random.pick(ranges) } }));
    return survives(await line.answer(attack.budgetMs));
  }),
  kind(
    "tenant",
    "events-stalled",
    async (attack, random) => {
      const headers = { ...attack.authorization, ...(random.chance(0.7) ? { "last-event-id": "0-1" } : {}) };
      const line = await attack.line();
      await line.write(encodeRequest({ method: "GET", path: `/v1/businesses/${attack.tenant.id}/events`, headers }));
      line.stall();
      await line.hold(4_000);
      return undefined;
    },
    { count: 400, width: 400, budgetMs: 60_000 },
  ),
  kind("tenant", "events-replayed", async (attack, random) => {
    const id = random.pick([
      "0-1",
      "1-0",
      "9999999999999-0",
      "18446744073709551615-18446744073709551615",
      "x",
      "-",
      "0-0 ",
      "\u00e9",
    ]);
    const headers = { ...attack.authorization, "last-event-id": id };
    const line = await attack.line();
    await line.write(encodeRequest({ method: "GET", path: `/v1/businesses/${attack.tenant.id}/events`, headers }));
    await line.hold(200);
    const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(line.text())?.[1] ?? 0);
    return status >= 500 && status !== 503 ? `answered ${status}` : undefined;
  }),
  kind(
    "tenant",
    "events-churn",
    async (attack, random: Random) => {
      const line = await attack.line();
      await line.write(
        encodeRequest({
          method: "GET",
          path: `/v1/businesses/${attack.tenant.id}/events`,
          headers: attack.authorization,
        }),
      );
      await line.hold(random.below(60));
      return undefined;
    },
    { count: 100, width: 16 },
  ),
];
