export { createCallsClient } from "./client.ts";
export type { CallsClient, CallsClientOptions } from "./client.ts";
export { callKey, callOrder, placedCall } from "./schemas.ts";
export type { CallOrder, PlacedCall } from "./schemas.ts";
