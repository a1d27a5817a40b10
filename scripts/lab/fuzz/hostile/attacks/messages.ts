import { edgeCaseTexts } from "../../edge_cases.ts";
import { kind, isRefused, survives } from "../kind.ts";
import type { Attack, AttackKind, Random } from "../kind.ts";

/* Attacks of a tenant through messages, webhooks, keys and calls. */

const send = (attack: Attack, random: Random, message: object) =>
  attack.asTenant("POST", "/messages", JSON.stringify({ to: random.pick(attack.tenant.contacts), ...message }));

/** The longest text, of characters that grow when they are escaped. */
const longText = (random: Random) => random.pick(["x", '"', "\\", "\u0001", "\u2028", "é"]).repeat(65_536);

export const messageAttacks: AttackKind[] = [
  kind(
    "tenant",
    "text-longest",
    async (attack, random) => survives(await send(attack, random, { type: "text", text: longText(random) })),
    {
      count: 100,
      settles: true,
    },
  ),
  kind(
    "tenant",
    "text-odd",
    async (attack, random) => {
      return survives(await send(attack, random, { type: "text", text: random.pick(edgeCaseTexts) }));
    },
    { settles: true },
  ),
  kind(
    "tenant",
    "text-graphemes",
    async (attack, random) => {
      const text = random.pick(["\u0301", "\u200d", "👨‍👩‍👧‍👦", "\ufe0f", "\u202e"]).repeat(8_000).slice(0, 65_000);
      const content = random.pick([
        { type: "text", text },
        { type: "reaction", target: crypto.randomUUID(), emoji: text.slice(0, 32) },
      ]);
      return survives(await send(attack, random, content));
    },
    { settles: true },
  ),
  kind(
    "tenant",
    "message-kinds",
    async (attack, random) => {
      const text = random.pick(edgeCaseTexts).slice(0, 90);
      const target = random.pick([crypto.randomUUID(), "x", "..", ""]);
      const kinds: object[] = [
        {
          type: "poll",
          question: text,
          options: Array.from({ length: random.below(14) }, (_, n) => `${n}${text}`),
          max_choices: random.below(14),
        },
        { type: "location", latitude: random.pick([90, -90, 91, 1e308, 5e-324]), longitude: 180, name: text },
        {
          type: "contact",
          contacts: Array.from({ length: 50 }, () => ({ name: text || "x", phones: Array(10).fill("5511987654321") })),
        },
        { type: "edit", target, text },
        { type: "delete", target },
        { type: "image", media: target, caption: text },
        { type: "audio", media: target, voice: true },
        { type: "document", media: target, file_name: `../../${text}` },
      ];
      return survives(await send(attack, random, random.pick(kinds)));
    },
    { settles: true },
  ),
  kind(
    "tenant",
    "recipient-odd",
    async (attack, random) => {
      const to = random.pick([
        "status@broadcast",
        "0@s.whatsapp.net",
        "1".repeat(25),
        "00000@lid",
        "123-456@g.us",
        "+",
        "x@y",
        "٣٤٥٦٧٨٩١",
      ]);
      return survives(await attack.asTenant("POST", "/messages", JSON.stringify({ to, type: "text", text: "x" })));
    },
    { settles: true },
  ),
  kind("tenant", "webhook-addresses", async (attack, random) => {
    const url = random.pick([
      "http://169.254.169.254/latest/meta-data",
      "http://[::ffff:127.0.0.1]:8500/v1/kv/",
      "http://0x7f000001/",
      "http://2130706433/",
      "file:///etc/passwd",
      "gopher://127.0.0.1:6379/_FLUSHALL",
      `https://${"a".repeat(300)}.example/`,
      "https://user:password@example.com/",
      `https://example.com/${"x".repeat(10_000)}`,
    ]);
    return survives(await attack.asTenant("POST", "/webhooks", JSON.stringify({ url, events: ["message.sent"] })));
  }),
  kind("tenant", "webhook-changes", async (attack, random) => {
    const body = JSON.stringify({
      url: "https://[::1",
      events: Array(5_000).fill(random.pick(["message.sent", "x", ""])),
    });
    return isRefused(await attack.asTenant("POST", "/webhooks", body));
  }),
  kind(
    "tenant",
    "keys-made",
    async (attack, random) => {
      const body = { scopes: ["messages:read"], name: random.pick(edgeCaseTexts).slice(0, 150) };
      return survives(await attack.asTenant("POST", "/keys", JSON.stringify(body)));
    },
    { count: 100 },
  ),
  kind("tenant", "keys-limits", async (attack, random) => {
    const expires_at = random.pick([
      "9999-12-31T23:59:59Z",
      "+010000-01-01T00:00:00Z",
      "0000-01-01T00:00:00Z",
      "2026-02-30T00:00:00Z",
      "",
    ]);
    return survives(await attack.asTenant("POST", "/keys", JSON.stringify({ scopes: ["messages:read"], expires_at })));
  }),
  kind("tenant", "calls-placed", async (attack, random) => {
    const to = random.pick([
      "+19005550100",
      "+88216000001",
      "+1",
      "sip:x@127.0.0.1",
      "+0000000000",
      "",
      "x".repeat(10_000),
    ]);
    return survives(await attack.asTenant("POST", "/calls", JSON.stringify({ from: attack.tenant.number, to })));
  }),
  kind("tenant", "settings-odd", async (attack, random) => {
    const changes: [string, string, object][] = [
      ["PATCH", "", { name: random.pick(edgeCaseTexts) }],
      ["PATCH", "", { time_zone: random.pick(["Etc/GMT+99", "../../etc/passwd", "", "x".repeat(5_000)]) }],
      [
        "PUT",
        "/call_settings",
        { max_concurrent: random.pick([-1, 1e9, 0.5, null]), record: "x", consent_line: random.pick(edgeCaseTexts) },
      ],
      ["PUT", "/phone_numbers/%2B1", {}],
    ];
    const [method, path, body] = random.pick(changes);
    return survives(await attack.asTenant(method, path, JSON.stringify(body)));
  }),
  kind(
    "tenant",
    "requests-burst",
    async (attack, random) => survives(await attack.asTenant("GET", random.pick(["", "/messages", "/whatsapp"]))),
    {
      count: 400,
      width: 64,
    },
  ),
];
