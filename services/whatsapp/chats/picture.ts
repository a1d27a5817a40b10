import { query, refusalCode } from "./query.ts";
import type { OpenSocket } from "./query.ts";

/** The URL of a person's or group's picture; null if there is none or the business may not see it. */
export async function pictureOf(
  { socket, accounts }: OpenSocket,
  jid: string,
  size: "preview" | "full",
): Promise<string | null> {
  const url = socket
    .profilePictureUrl(accounts.chatOf(jid), size === "full" ? "image" : "preview")
    .catch((error: unknown) => {
      const code = refusalCode(error);
      if (code === 401 || code === 403 || code === 404) return undefined;
      throw error;
    });
  return (await query(url)) ?? null;
}
