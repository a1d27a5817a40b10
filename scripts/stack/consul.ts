import { readFileSync } from "node:fs";
import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";
import { answered } from "../cli/operator/http.ts";

/** With the token and the authority that the consul program takes, where the cluster asks for them. */
export function connectConsul(addr: string): ConsulClient {
  const { CONSUL_HTTP_TOKEN: token, CONSUL_CACERT: caFile } = process.env;
  const consul = createConsul({
    addr,
    token: token || undefined,
    ca: caFile ? readFileSync(caFile, "utf8") : undefined,
  });
  return { ...consul, blockingGet: (path, options) => answered(consul.url, consul.blockingGet(path, options)) };
}
