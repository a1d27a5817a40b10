export { appendTail } from "./append_tail.ts";
export type { AppendOutcome, TailAppend, TailEntry } from "./append_tail.ts";
export { claimCopy, discardAbandonedCopy, discardCopy, finishRestore, releaseCopy } from "./claim_copy.ts";
export type { CopyClaim } from "./claim_copy.ts";
export { getCopy, listCopies } from "./get_copy.ts";
export type { CopyOwner, CopyScope, ShardCopyRow } from "./get_copy.ts";
export { beginSnapshot, finishSnapshot, readTail, tailExtent, trimTail } from "./snapshots.ts";
export type { FinishedSnapshot, TailRow } from "./snapshots.ts";
