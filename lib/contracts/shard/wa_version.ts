/** The Consul key with the version of WhatsApp Web that shards name to WhatsApp. Without it they name Baileys' own. */
export const waVersionKey = "prosaas/whatsapp/wa_version";

const form = /^\d{1,3}\.\d{1,6}\.\d{1,10}$/;

/** A version such as "2.3000.1043857760"; "default" for Baileys' own; null where the text is neither. */
export function parseWaVersion(text: string): string | null {
  const trimmed = text.trim();
  return trimmed === "default" || form.test(trimmed) ? trimmed : null;
}

/** As Baileys takes it. */
export function waVersionParts(version: string): [number, number, number] {
  const [primary = 0, secondary = 0, tertiary = 0] = version.split(".").map(Number);
  return [primary, secondary, tertiary];
}
