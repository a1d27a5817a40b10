export { ApiFailure, bodyOf, createApiClient } from "./client.ts";
export type { ApiClient, ApiClientOptions, Problem, Schemas } from "./client.ts";
