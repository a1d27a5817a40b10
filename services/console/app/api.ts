import { ApiFailure, createApiClient } from "../../../lib/api-client/index.ts";

export { bodyOf } from "../../../lib/api-client/index.ts";
export type { Schemas } from "../../../lib/api-client/index.ts";

const origin = globalThis.location.origin;

/** The API client, authenticated by the cookie of the console session. */
export const api = createApiClient({ baseUrl: origin });

/** Exchanges an admin key for the cookie. Does not store the key. */
export async function signIn(key: string): Promise<void> {
  await createApiClient({ baseUrl: origin, key }).POST("/v1/console/session");
}

/** The prefix of the key that signed in; undefined without a console session. */
export async function signedInAs(): Promise<string | undefined> {
  try {
    const { data } = await api.GET("/v1/console/session");
    return data?.key_prefix;
  } catch (error) {
    if (isSignedOut(error)) return undefined;
    throw error;
  }
}

export const signOut = () => api.DELETE("/v1/console/session");

export function isSignedOut(error: unknown): boolean {
  return error instanceof ApiFailure && error.status === 401;
}

/** The error text to show. */
export function errorText(error: unknown): string {
  if (error instanceof ApiFailure) {
    const { detail = `The API answered ${error.status}.`, errors = [] } = error.problem ?? {};
    return [detail, ...errors.map(({ field, message }) => `${field} ${message}.`)].join(" ");
  }
  return error instanceof Error ? error.message : String(error);
}
