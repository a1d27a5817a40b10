import type { Card } from "../../../lib/messages/index.ts";

/** Encodes a card as phones do; `waid` links a number to its WhatsApp account. */
export function vcardOf({ name, phones }: Card): string {
  return [
    "BEGIN:VCARD",
    "VERSION:3.0",
    `N:;${escaped(name)};;;`,
    `FN:${escaped(name)}`,
    ...phones.map((phone) =>
      /^\d+$/.test(phone) ? `TEL;type=CELL;type=VOICE;waid=${phone}:+${phone}` : `TEL:${escaped(phone)}`,
    ),
    "END:VCARD",
  ].join("\n");
}

/** The phone numbers on a card: digits in international form if the card has them, else as written. */
export function phonesOf(vcard: string): string[] {
  const unfolded = vcard.replaceAll(/\r?\n[ \t]/g, "");
  return unfolded.split(/\r?\n/).flatMap((line) => {
    const telephone = /^(?:[\w-]+\.)?TEL(?<parameters>;[^:]*)?:(?<number>.+)$/i.exec(line)?.groups;
    if (telephone === undefined) return [];
    const digits = /;waid=(?<digits>\d+)/i.exec(telephone["parameters"] ?? "")?.groups?.["digits"];
    return [digits ?? telephone["number"]!.trim()];
  });
}

const escaped = (text: string) => text.replaceAll(/[\\;,]/g, String.raw`\$&`).replaceAll(/\r?\n/g, String.raw`\n`);
