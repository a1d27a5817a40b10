import { readFileSync } from "node:fs";
import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { answered, createCaller } from "../cli/operator/http.ts";
import type { Caller } from "../cli/operator/http.ts";

/** The token and the authority that the consul program takes, where the cluster asks for them. */
function credentials(): { token: string | undefined; ca: string | undefined } {
  const { CONSUL_HTTP_TOKEN: token, CONSUL_CACERT: caFile } = process.env;
  return { token: token || undefined, ca: caFile ? readFileSync(caFile, "utf8") : undefined };
}

export function connectConsul(addr: string): ConsulClient {
  const consul = createConsul({ addr, ...credentials() });
  return { ...consul, blockingGet: (path, options) => answered(consul.url, consul.blockingGet(path, options)) };
}

/** Plain requests, for what the client does not have: policies and tokens. */
export function callConsul(addr: string): Caller {
  const { token, ca } = credentials();
  const baseUrl = addr.includes("://") ? addr : `http://${addr}`;
  return createCaller({ baseUrl, ...(token === undefined ? {} : { token }), ...(ca === undefined ? {} : { ca }) });
}
