/** The Consul key with the WhatsApp Web version that shards report to WhatsApp. Default: Baileys' own. */
export const waVersionKey = "prosaas/whatsapp/version";

const form = /^\d{1,3}\.\d{1,6}\.\d{1,10}$/;

/** Parses a version such as "2.3000.1043857760", or "default" for Baileys' own; null for any other text. */
export function parseWaVersion(text: string): string | null {
  const trimmed = text.trim();
  return trimmed === "default" || form.test(trimmed) ? trimmed : null;
}

/** Splits a version into the parts that Baileys expects. */
export function waVersionParts(version: string): [number, number, number] {
  const [primary = 0, secondary = 0, tertiary = 0] = version.split(".").map(Number);
  return [primary, secondary, tertiary];
}
