import type { Customer } from "./platform.ts";

/** Asks the API for a customer; a body that is text is CSV. @throws where the answer is no success */
export type CustomerApi = <T = unknown>(method: string, path: string, body?: object | string) => Promise<T>;

/** The API at `baseUrl`, whose certificate may be one of the rig's own. */
export function customerApi(baseUrl: string, { id, key }: Customer): CustomerApi {
  return async <T>(method: string, path: string, body?: object | string): Promise<T> => {
    const csv = typeof body === "string";
    const response = await fetch(`${baseUrl}/v1/businesses/${id}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, "content-type": csv ? "text/csv" : "application/json" },
      ...(body === undefined ? {} : { body: csv ? body : JSON.stringify(body) }),
      tls: { rejectUnauthorized: false },
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
}
