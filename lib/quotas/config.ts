import { zInt } from "../runtime/config.ts";

/** Limits of one business. */
export type Quotas = {
  /** Bytes of stored files, uploaded and received. */
  mediaBytes: number;
  /** Messages that still have to be sent, recipients of unfinished broadcasts included. */
  queuedMessages: number;
  /** Bytes of these messages. */
  queuedBytes: number;
};

export const defaultQuotas: Quotas = {
  mediaBytes: 10 * 1024 ** 3,
  // The most rows of an uploaded table of recipients.
  queuedMessages: 250_000,
  // About 4 KiB for each of them.
  queuedBytes: 1024 ** 3,
};

/** A quota in the environment of a service. */
export const zQuota = (quota: keyof Quotas) => zInt(1, Number.MAX_SAFE_INTEGER).default(defaultQuotas[quota]);
