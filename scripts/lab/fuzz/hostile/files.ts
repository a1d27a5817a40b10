import sharp from "sharp";
import { createRandom } from "../random.ts";
import type { Random } from "./kind.ts";

/** Random bytes. */
export function garbage(random: Random, length: number): Buffer {
  return Buffer.from(Uint8Array.from({ length }, () => random.below(256)));
}

/** Formats in which a small file decodes to very many pixels. */
export const bombFormats = ["avif", "png", "webp", "gif", "jpeg", "tiff"] as const;
export type BombFormat = (typeof bombFormats)[number];

/** Below the 50 million pixels that a reader may take for harmless, in one colour: a kilobyte of AVIF. */
const side = 7_071;

const made = new Map<string, Promise<Buffer>>();

/**
 * The same file for all of a format, with bytes behind it that make its content new: known content is not decoded
 * again.
 */
export async function bomb(format: BombFormat, random: Random): Promise<Buffer> {
  const known = made.get(format) ?? render(format);
  made.set(format, known);
  return Buffer.concat([await known, garbage(random, 16)]);
}

/** Renders all of them, which takes seconds: no attack is to wait for it. */
export async function prepareBombs(): Promise<void> {
  for (const format of bombFormats) await bomb(format, createRandom(1));
}

function render(format: BombFormat): Promise<Buffer> {
  const picture = sharp({ create: { width: side, height: side, channels: 3, background: "#888" } });
  return (format === "avif" ? picture.avif({ effort: 0, quality: 1 }) : picture.toFormat(format)).toBuffer();
}

/** An ordinary picture, each with content of its own. */
export async function picture(random: Random): Promise<Buffer> {
  const format = random.pick(["jpeg", "png", "webp", "gif"] as const);
  const known = made.get(`small ${format}`) ?? renderSmall(format);
  made.set(`small ${format}`, known);
  return Buffer.concat([await known, garbage(random, 16)]);
}

function renderSmall(format: "jpeg" | "png" | "webp" | "gif"): Promise<Buffer> {
  const noise = { type: "gaussian", mean: 128, sigma: 30 } as const;
  return sharp({ create: { width: 320, height: 240, channels: 3, background: "#888", noise } })
    .toFormat(format)
    .toBuffer();
}

/** A picture that ends before it is over, or has bytes changed in its middle. */
export async function truncated(random: Random): Promise<Buffer> {
  const whole = Buffer.from(await picture(random));
  if (random.chance(0.5)) return whole.subarray(0, 8 + random.below(whole.length - 8));
  for (let n = 0; n < 20; n++) whole[random.below(whole.length)] = random.below(256);
  return whole;
}

const signatures: Record<string, string> = {
  gif: "474946383961ffffffff",
  jpeg: "ffd8ffe000104a464946",
  png: "89504e470d0a1a0a0000000d49484452ffffffffffffffff0806000000",
  pdf: "255044462d312e37",
  zip: "504b0304",
  mp4: "ffffffff667479706d703432",
  heic: "00000018667479706865696300000000",
  ogg: "4f676753000200000000000000",
  webm: "1a45dfa3ffffffffffffffff",
  wav: "52494646ffffffff57415645666d7420",
  mp3: "494433040000ffffffff",
  flac: "664c614300ffffff",
  riff: "52494646ffffffff57454250565038580a000000",
  tiff: "49492a00ffffffff",
  bmp: "424dffffffff00000000",
  ico: "000001000100ffffff",
};

/** The beginning of a format with absurd lengths, and nonsense behind it. */
export function brokenFile(random: Random): Buffer {
  const names = Object.keys(signatures);
  return Buffer.concat([
    Buffer.from(signatures[random.pick(names)]!, "hex"),
    garbage(random, 64 + random.below(4_000)),
  ]);
}

/** Each entity repeats the one before it eight times. */
const entityBomb = Array.from({ length: 8 }, (_, n) => {
  const value = n === 0 ? "&a;&a;&a;&a;&a;&a;&a;&a;" : `&b${n - 1};`.repeat(8);
  return `<!ENTITY b${n} "${value}">`;
}).join("");

const svgs = [
  `<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">${entityBomb}]>` +
    `<svg xmlns="http://www.w3.org/2000/svg">&b7;</svg>`,
  `<svg xmlns="http://www.w3.org/2000/svg" width="1000000" height="1000000"><image href="file:///etc/passwd"/></svg>`,
  `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script>${"<g>".repeat(20_000)}</svg>`,
];

/** A file that is several formats at once. */
export async function polyglot(random: Random): Promise<Buffer> {
  const small = await picture(random);
  const names = Object.keys(signatures);
  return random.pick([
    () => Buffer.concat([small, Buffer.from("<html><script>alert(1)</script></html>")]),
    () => Buffer.concat([Buffer.from(`GIF89a/*${" ".repeat(200)}*/=1;alert(1)`), garbage(random, 8)]),
    () => Buffer.concat([Buffer.from(signatures[random.pick(names)]!, "hex"), small]),
    () => Buffer.from(`${random.pick(svgs)}<!--${random.below(1e9)}-->`),
    () =>
      Buffer.concat([
        Buffer.from("%PDF-1.7\n"),
        Buffer.from("1 0 obj<</Kids[1 0 R]>>".repeat(500)),
        garbage(random, 8),
      ]),
  ])();
}
