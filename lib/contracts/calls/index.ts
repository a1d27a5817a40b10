export { createCallsClient } from "./client.ts";
export type { CallsClient, CallsClientOptions } from "./client.ts";
export { callKey, callOrder, dialledCall } from "./schemas.ts";
export type { CallOrder, DialledCall } from "./schemas.ts";
