import { edgeCaseTexts } from "../../edge_cases.ts";
import { kind } from "../kind.ts";
import type { Attack, AttackKind, Random, Verdict } from "../kind.ts";
import { bomb, bombFormats, brokenFile, polyglot, truncated } from "../files.ts";

/* Attacks of a person who writes to a business on WhatsApp, through the simulator. */

/** A number without an earlier message. */
const stranger = (random: Random) => String(15_700_000_000 + random.below(100_000_000));

async function write(attack: Attack, random: Random, message: object): Promise<Verdict> {
  await attack.target.simulator.ask("POST", `/phones/${stranger(random)}/messages`, {
    to: attack.tenant.phone,
    ...message,
  });
  return undefined;
}

const mediaKinds = {
  image: "image/jpeg",
  video: "video/mp4",
  audio: "audio/ogg",
  document: "application/octet-stream",
  sticker: "image/webp",
};
type MediaKind = keyof typeof mediaKinds;
const anyKind = (random: Random) => random.pick(Object.keys(mediaKinds) as MediaKind[]);

const file = (type: MediaKind, content: Buffer, mime: string = mediaKinds[type]) => ({
  type,
  ...(type === "document" ? { file_name: "x" } : {}),
  ...(type === "audio" ? { voice: true } : {}),
  media: { mime, file: content.toString("base64") },
});

const target = (random: Random) => ({
  wa_message_id: random.pick(["3AX", "x".repeat(500), "../.."]),
  from_me: random.chance(0.5),
});

/** The platform processes a stranger's messages later; each kind waits, so that the next one is not blamed. */
const settles = { settles: true, budgetMs: 30_000 };

export const strangerAttacks: AttackKind[] = [
  kind(
    "stranger",
    "text-longest",
    (attack, random) => write(attack, random, { text: random.pick(["x", "\u0001", "é", "😀"]).repeat(32_000) }),
    {
      ...settles,
      count: 60,
    },
  ),
  kind(
    "stranger",
    "text-odd",
    (attack, random) => {
      const text = random.pick(edgeCaseTexts.filter((one) => one !== "" && one.length <= 65_536));
      return write(attack, random, { text });
    },
    settles,
  ),
  kind("stranger", "texts-many", (attack, random) => write(attack, random, { text: `hello ${random.below(1e6)}` }), {
    ...settles,
    count: 150,
  }),
  ...bombFormats.map((format) =>
    kind(
      "stranger",
      `bomb-${format}`,
      async (attack, random) => {
        const type = random.pick(["image", "document", "sticker"] as const);
        return write(
          attack,
          random,
          file(type, await bomb(format, random), random.pick([`image/${format}`, mediaKinds[type]])),
        );
      },
      { ...settles, count: 6, width: 3 },
    ),
  ),
  kind(
    "stranger",
    "files-broken",
    (attack, random) => write(attack, random, file(anyKind(random), brokenFile(random))),
    settles,
  ),
  kind(
    "stranger",
    "files-polyglot",
    async (attack, random) => write(attack, random, file(anyKind(random), await polyglot(random))),
    settles,
  ),
  kind(
    "stranger",
    "pictures-truncated",
    async (attack, random) => write(attack, random, file("image", await truncated(random))),
    settles,
  ),
  kind(
    "stranger",
    "files-mime",
    (attack, random) => {
      const mime = random.pick([
        "",
        "x",
        "text/html",
        "a".repeat(5_000),
        "image/png\r\nX: y",
        "\u0000",
        "image/../../x",
      ]);
      return write(attack, random, file(anyKind(random), brokenFile(random), mime));
    },
    settles,
  ),
  kind(
    "stranger",
    "contacts-many",
    (attack, random) => {
      const contacts = Array.from({ length: 200 }, (_, n) => ({
        name: `${random.pick(edgeCaseTexts).slice(0, 100)}${n}`,
        phones: ["5511987654321"],
      }));
      return write(attack, random, { type: "contact", contacts });
    },
    settles,
  ),
  kind(
    "stranger",
    "polls-large",
    (attack, random) => {
      const options = Array.from({ length: 12 }, (_, n) => `${n} ${"o".repeat(3_000)}`);
      return write(attack, random, { type: "poll", question: "q".repeat(20_000), options, max_choices: 1 });
    },
    settles,
  ),
  kind(
    "stranger",
    "reactions",
    (attack, random) => {
      const emoji = random.pick(["👍", "x".repeat(10_000), "\u0000", ""]);
      return write(attack, random, { type: "reaction", target: target(random), emoji });
    },
    settles,
  ),
  kind(
    "stranger",
    "edits",
    (attack, random) => {
      const change = random.pick([{ type: "edit", text: "e".repeat(60_000) }, { type: "delete" }] as const);
      return write(attack, random, { ...change, target: target(random) });
    },
    settles,
  ),
  kind(
    "stranger",
    "locations",
    (attack, random) => {
      const [latitude, longitude] = [random.pick([0, 1e300, -1e300, 91]), random.pick([0, 181, 1e-300])];
      return write(attack, random, {
        type: "location",
        latitude,
        longitude,
        name: "n".repeat(30_000),
        address: random.pick(edgeCaseTexts),
      });
    },
    settles,
  ),
  kind("stranger", "unknown-kinds", (attack, random) => write(attack, random, { type: "unknown" }), settles),
  kind(
    "stranger",
    "ciphertext-garbage",
    (attack, random) => {
      const companions_get = random.pick(["garbage", "garbage_once", "unavailable"]);
      return write(attack, random, { text: `garbage ${random.below(1e6)}`, companions_get });
    },
    { ...settles, count: 150, width: 16 },
  ),
  kind(
    "stranger",
    "ids-repeated",
    (attack, random) =>
      write(attack, random, {
        text: `again ${random.below(1e6)}`,
        id: `3A${random.pick(["AAAA", "BBBB", "x".repeat(60)])}`,
      }),
    settles,
  ),
  kind(
    "stranger",
    "statuses",
    (attack, random) => {
      const to = random.pick(["status@broadcast", "12345678@broadcast", "123456789012@newsletter"]);
      return write(attack, random, { to, audience: [attack.tenant.phone], text: "s".repeat(1 + random.below(60_000)) });
    },
    settles,
  ),
  kind(
    "stranger",
    "replies",
    (attack, random) => {
      const reply_to = { ...target(random), text: "r".repeat(50_000) };
      return write(attack, random, { type: "text", text: "re", reply_to });
    },
    settles,
  ),
];
