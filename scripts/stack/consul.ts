import { createConsul } from "../../lib/consul/client.ts";
import type { ConsulClient } from "../../lib/consul/client.ts";

/** With the token that the consul program takes, where the cluster asks for one. */
export const connectConsul = (addr: string): ConsulClient => createConsul({ addr, token: process.env["CONSUL_HTTP_TOKEN"] || undefined });
