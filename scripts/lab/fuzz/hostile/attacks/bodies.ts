import { gzipSync } from "node:zlib";
import { edgeCaseTexts } from "../../edge_cases.ts";
import { isRefused, kind, survives } from "../kind.ts";
import type { AttackKind, Random } from "../kind.ts";

/* Bodies of a tenant with a valid key: deep, wide, slow, truncated, chunked. */

const ok = { type: "text", text: "hostile" };
const message = (attack: { tenant: { contacts: string[] } }, more: object = {}) =>
  JSON.stringify({ to: attack.tenant.contacts[0], ...ok, ...more });
const endpoints = ["/messages", "/broadcasts", "/webhooks", "/keys", "/opt_outs", "/whatsapp/numbers/check", "/calls"];

/** JSON that is deeper or wider than anything a schema asks for. */
const deep = (random: Random) => {
  const depth = 1_000 + random.below(100_000);
  const [open, close] = random.pick([
    ["[", "]"],
    ['{"a":', "}"],
    ['[{"a":', "}]"],
  ] as const);
  return `${open.repeat(depth)}1${random.chance(0.8) ? close.repeat(depth) : ""}`;
};
const wide = (random: Random) =>
  `{${Array.from({ length: 30_000 }, (_, n) => `"${random.pick(["a", "to", "__proto__"])}${n}":${n}`).join(",")}}`;

export const bodyAttacks: AttackKind[] = [
  kind("tenant", "json-deep", async (attack, random) =>
    isRefused(await attack.asTenant("POST", random.pick(endpoints), deep(random))),
  ),
  kind("tenant", "json-wide", async (attack, random) =>
    isRefused(await attack.asTenant("POST", random.pick(endpoints), wide(random))),
  ),
  kind("tenant", "json-numbers", async (attack, random) => {
    const number = random.pick(["1e999", "-1e-999", "9".repeat(100_000), `0.${"1".repeat(100_000)}`, "1e309", "-0"]);
    return isRefused(
      await attack.asTenant("POST", random.pick(endpoints), `{"to":${number},"type":"text","text":${number}}`),
    );
  }),
  kind("tenant", "json-repeated-keys", async (attack) => {
    const keys = Array.from({ length: 20_000 }, () => '"to":"1"').join(",");
    return survives(await attack.asTenant("POST", "/messages", `{${keys},"type":"text","text":"x"}`));
  }),
  kind("tenant", "json-broken", async (attack, random) => {
    const whole = message(attack, { text: random.pick(edgeCaseTexts).toWellFormed() });
    const cut = whole.slice(0, 1 + random.below(whole.length - 1));
    return isRefused(await attack.asTenant("POST", "/messages", cut));
  }),
  kind("tenant", "json-encodings", async (attack, random) => {
    const text = message(attack);
    const body = random.pick([
      Buffer.from(text, "utf16le"),
      Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from(text)]),
      Buffer.from(text.replace("hostile", "\xff\xfe"), "latin1"),
      Buffer.from(text.replace("hostile", "\xc0\x80\xed\xa0\x80"), "latin1"),
    ]);
    const type = random.pick([
      "application/json",
      "application/json; charset=utf-16",
      "application/json; charset=x",
      "text/plain",
      "*/*",
    ]);
    return survives(await attack.asTenant("POST", "/messages", body, { "content-type": type }));
  }),
  kind("tenant", "json-names", async (attack, random) => {
    const name = random.pick([
      "\\u0000",
      "a\\u0000b",
      "\\ud800",
      "\\udfff\\ud800",
      "__proto__",
      "constructor",
      "",
      "toString",
    ]);
    const value = random.pick(['"x"', "null", "{}", "[]"]);
    const text = JSON.stringify({ to: attack.tenant.contacts[0], fields: { MARK: "x" } }).replace(
      '"MARK":"x"',
      `"${name}":${value}`,
    );
    const named = [
      ["/broadcasts", `{"name":"n","text":"Hello","recipients":[${text}]}`],
      ["/messages", `{"to":"${attack.tenant.contacts[0]}","type":"text","text":"x","${name}":${value}}`],
      ["/webhooks", `{"url":"https://example.com/","events":["message.sent"],"${name}":${value}}`],
      ["/keys", `{"scopes":["messages:read"],"${name}":${value}}`],
    ] as const;
    const [path, body] = random.pick(named);
    return survives(await attack.asTenant("POST", path, body));
  }),
  kind("tenant", "gzip-bomb", async (attack) => {
    const headers = { "content-encoding": "gzip" };
    return survives(await attack.asTenant("POST", "/messages", bomb(), headers));
  }),
  kind(
    "tenant",
    "body-too-large",
    async (attack, random) => {
      const size = 600_000 + random.below(2_000_000);
      return isRefused(
        await attack.asTenant("POST", random.pick(endpoints), message(attack, { text: "x".repeat(size) })),
      );
    },
    { count: 30 },
  ),
  kind("tenant", "body-chunked", async (attack, random) => {
    const line = await attack.line();
    await line.write(head(attack, "Transfer-Encoding: chunked"));
    const text = message(attack, { text: "c".repeat(random.below(3_000)) });
    // One byte a chunk, each with an extension.
    await line.write(
      text
        .split("")
        .map((letter) => `1;${"e".repeat(random.below(8))}\r\n${letter}\r\n`)
        .join(""),
    );
    await line.write(random.chance(0.7) ? "0\r\n\r\n" : "0\r\nTrailer: x\r\n\r\n");
    return survives(await line.answer(attack.budgetMs));
  }),
  kind("tenant", "body-chunks-broken", async (attack, random) => {
    const line = await attack.line();
    await line.write(head(attack, "Transfer-Encoding: chunked"));
    await line.write(
      random.pick(["x\r\n", "-1\r\n", "FFFFFFFFFFFFFFFFF\r\n", "1\r\nab\r\n", `1${";".repeat(9_000)}`, "\r\n\r\n\r\n"]),
    );
    await line.hold(300);
    return undefined;
  }),
  kind(
    "tenant",
    "body-truncated",
    async (attack, random) => {
      const line = await attack.line();
      await line.write(head(attack, `Content-Length: ${1_000 + random.below(100_000)}`));
      await line.write(message(attack));
      await line.hold(50);
      line.close();
      return undefined;
    },
    { count: 100, width: 32 },
  ),
  kind(
    "tenant",
    "body-slow",
    async (attack) => {
      const line = await attack.line();
      await line.write(head(attack, "Content-Length: 100000"));
      for (let n = 0; n < 10 && !line.isClosed; n++) {
        await line.write("x");
        await line.hold(400);
      }
      return undefined;
    },
    { count: 400, width: 400, budgetMs: 30_000 },
  ),
  kind("tenant", "query-odd", async (attack, random) => {
    const names = ["cursor", "limit", "chat", "direction", "status", "prefix", "from", "to"];
    const value = encodeURIComponent(random.pick(edgeCaseTexts).toWellFormed().slice(0, 4_000));
    const query = Array.from(
      { length: 1 + random.below(40) },
      () => `${random.pick(names)}=${value.slice(0, 200)}`,
    ).join("&");
    const path = random.pick(["/messages", "/broadcasts", "/keys", "/webhooks", "/calls", "/opt_outs", "/chats"]);
    return survives(await attack.asTenant("GET", `${path}?${query}`));
  }),
  kind("tenant", "ids-odd", async (attack, random) => {
    const id = random.pick(["..", "%2e%2e", "%00", "x".repeat(5_000), "%ed%a0%80", "%ff", "0", "null", "%20"]);
    const path = random.pick([
      "/messages/",
      "/keys/",
      "/media/",
      "/webhooks/",
      "/broadcasts/",
      "/calls/",
      "/opt_outs/",
      "/phone_numbers/",
    ]);
    return survives(await attack.asTenant(random.pick(["GET", "DELETE", "PATCH"]), path + id));
  }),
  kind("tenant", "idempotency-keys", async (attack, random) => {
    const key = random.pick([
      "x".repeat(255),
      "x".repeat(256),
      " ",
      "\u00e9",
      "a".repeat(8_000),
      `${random.below(10)}`,
    ]);
    const text = String(random.below(3));
    return survives(await attack.asTenant("POST", "/messages", message(attack, { text }), { "idempotency-key": key }));
  }),
  kind("tenant", "other-business", async (attack, random) => {
    const other = attack.target.tenants.find(({ id }) => id !== attack.tenant.id)!;
    const part = random.pick(["", "/messages", "/keys", "/whatsapp", "/media", "/events", "/calls"]);
    const path = `/v1/businesses/${other.id}${part}`;
    return isRefused(
      await attack.ask({ method: random.pick(["GET", "POST", "DELETE"]), path, headers: attack.authorization }),
    );
  }),
  kind("tenant", "admin-routes", async (attack, random) => {
    const path = random.pick([
      "/v1/admin/keys",
      "/v1/admin/shards",
      "/v1/admin/queues",
      "/v1/admin/calls/limit",
      "/v1/admin/events",
    ]);
    return isRefused(
      await attack.ask({ method: random.pick(["GET", "POST", "PUT"]), path, headers: attack.authorization }),
    );
  }),
];

/** 64 MB of spaces in about 64 KB. */
let made: Buffer | undefined;
const bomb = () => (made ??= gzipSync(Buffer.alloc(64 * 1024 * 1024, 32)));

function head(attack: { tenant: { id: string; key: string } }, length: string): string {
  const { id, key } = attack.tenant;
  const lines = [`POST /v1/businesses/${id}/messages HTTP/1.1`, "Host: localhost", `Authorization: Bearer ${key}`];
  return `${[...lines, "Content-Type: application/json", length].join("\r\n")}\r\n\r\n`;
}
