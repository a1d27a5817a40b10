import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { answered } from "../cli/operator/http.ts";

/** With the token that the consul program takes, where the cluster asks for one. */
export function connectConsul(addr: string): ConsulClient {
  const consul = createConsul({ addr, token: process.env["CONSUL_HTTP_TOKEN"] || undefined });
  return { ...consul, blockingGet: (path, options) => answered(consul.url, consul.blockingGet(path, options)) };
}
