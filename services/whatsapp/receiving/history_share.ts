import { RateShare } from "../../../lib/runtime/rate_share.ts";

/** Inflated bytes that all histories of a shard read in a second: about a quarter of a core. */
const bytesPerS = 32 * 1024 * 1024;
/** Longest wait for a turn; 200 businesses that read at once wait for half a second. */
export const maxTurnWaitMs = 60_000;

/**
 * The shares of a shard's CPU that histories get: businesses whose histories are read take turns, a chunk each. A
 * history in a notification does not wait for those on the media host.
 */
export const historyShares = { inline: new RateShare(bytesPerS), downloaded: new RateShare(bytesPerS) } as const;
export type HistoryShares = { readonly [kind in keyof typeof historyShares]: RateShare };
