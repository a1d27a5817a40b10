import { AppError } from "../../../lib/core/errors.ts";
import type { ErrorCode } from "../../../lib/core/errors.ts";
import type { CheckedNumber } from "../../../lib/contracts/shard/chats.ts";
import { maxNumbers } from "../../../lib/contracts/shard/index.ts";
import { atomically, getSession, learnNames, noteChecked, uncheckedOptOuts } from "../../../lib/db/index.ts";
import type { Business, BusinessScope, ChatName } from "../../../lib/db/index.ts";
import type { Deps } from "../deps.ts";
import { wakeMerges } from "../receiving/identities.ts";
import type { Wait } from "../turn.ts";

/** Between two queries: WhatsApp throttles accounts that ask for many numbers. */
const spacingMs = 1_000;
/** Delay after a refusal that names none. */
const refusedMs = 10_000;

/** Refusals that a later query may not meet. */
const transient: ReadonlySet<ErrorCode> = new Set(["unavailable", "rate_limited", "upstream_timeout"]);

/**
 * Asks WhatsApp for the accounts of new opt-outs, because an opt-out may spell a recipient's number differently. A
 * broadcast waits until all are known. Undefined: all are, or no query can succeed.
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
    const businesses = await atomically(scope, async (inside) => {
      await noteChecked(inside, chats);
      return learnNames(inside, accountNames(business.id, checked));
    });
    await wakeMerges(deps, businesses);
    return chats.length < maxNumbers ? undefined : { inMs: spacingMs, reason: "opt-outs are being checked" };
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "internal") throw error;
    // A paired session that the shard has not opened yet (handOver).
    const opensSoon = error.code === "not_found" && (await getSession(scope))?.paired === true;
    // The shard refuses the messages, too: handOver decides whether they fail, for instance after a logout.
    if (!opensSoon && !transient.has(error.code)) return undefined;
    const inMs = error.retryAfterS === undefined ? refusedMs : error.retryAfterS * 1_000;
    return { inMs: Math.min(inMs, 60_000), reason: "opt-outs cannot be checked now" };
  }
}

/** The other spellings among checked numbers. A LID is no spelling: shards of older releases answer with it. */
export function accountNames(business_id: string, checked: readonly CheckedNumber[]): ChatName[] {
  return checked.flatMap(({ number, jid }) =>
    jid?.endsWith("@s.whatsapp.net") ? [{ business_id, alias: `${number}@s.whatsapp.net`, chat: jid }] : [],
  );
}
