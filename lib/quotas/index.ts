export { createMediaQuota, minFileBytes, readMediaUsage } from "./media.ts";
export type { MediaHold, MediaQuota } from "./media.ts";
export { defaultQuotas, zQuota } from "./config.ts";
export type { Quotas } from "./config.ts";
export { createOutboxQuota, payloadBytes, readOutboxUsage } from "./outbox.ts";
export type { OutboxQuota } from "./outbox.ts";
