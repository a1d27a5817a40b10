/**
 * Work that was claimed, or when the next one is due; undefined if there is none. A claim records the attempt and
 * postpones the next one, so that a file that ends its worker waits behind the others.
 */
export type Claim<T> = { work: T } | { dueAt: Date } | undefined;

/** Delay of the next attempt at a file whose worker died. */
export const claimedForS = 30;

/** A row of a claiming statement: the columns of the work, if `is_claimed`. */
export type ClaimRow = { due_at: Date; is_claimed: boolean };

export function claimOf<T extends ClaimRow>(row: T | undefined): Claim<Omit<T, keyof ClaimRow>> {
  if (row === undefined) return undefined;
  const { due_at, is_claimed, ...work } = row;
  return is_claimed ? { work } : { dueAt: due_at };
}
