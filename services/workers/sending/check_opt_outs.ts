import { AppError } from "../../../lib/core/errors.ts";
import { maxNumbers } from "../../../lib/contracts/shard/index.ts";
import { atomically, learnNames, noteChecked, uncheckedOptOuts } from "../../../lib/db/index.ts";
import type { Business, BusinessScope } from "../../../lib/db/index.ts";
import type { Deps } from "../deps.ts";
import { wakeMerges } from "../receiving/identities.ts";
import type { Wait } from "../turn.ts";

/** Between two queries: WhatsApp throttles accounts that ask for many numbers. */
const spacingMs = 1_000;
/** Delay after a refusal that names none. */
const refusedMs = 10_000;

/**
 * Asks WhatsApp for the accounts of new opt-outs, because an opt-out may spell a recipient's number differently. A
 * broadcast waits until all are known. Undefined: all are.
 */
export async function checkOptOuts(
  deps: Pick<Deps, "shardChats" | "router" | "producer">,
  scope: BusinessScope,
  business: Pick<Business, "id" | "whatsapp_shard">,
): Promise<Wait | undefined> {
  const chats = await uncheckedOptOuts(scope, maxNumbers);
  if (chats.length === 0) return undefined;
  const numbers = chats.map((chat) => chat.split("@")[0]!).filter((number) => /^[1-9]\d{6,14}$/.test(number));
  try {
    const checked =
      numbers.length > 0 ? await deps.shardChats.checkNumbers(deps.router.locate(business), business.id, numbers) : [];
    const names = checked.flatMap(({ number, jid }) =>
      jid ? [{ business_id: business.id, alias: `${number}@s.whatsapp.net`, chat: jid }] : [],
    );
    const businesses = await atomically(scope, async (inside) => {
      await noteChecked(inside, chats);
      return learnNames(inside, names);
    });
    await wakeMerges(deps, businesses);
    return chats.length < maxNumbers ? undefined : { inMs: spacingMs, reason: "opt-outs are being checked" };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "internal") throw error;
    // No phone is linked: the shard refuses the messages, too, and they fail.
    if (error.code === "conflict") return undefined;
    const inMs = error.retryAfterS === undefined ? refusedMs : error.retryAfterS * 1_000;
    return { inMs: Math.min(inMs, 60_000), reason: "opt-outs cannot be checked now" };
  }
}
