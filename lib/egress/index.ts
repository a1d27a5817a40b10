export { startBridge } from "./bridge.ts";
export type { Bridge } from "./bridge.ts";
export { noProxies, parseProxy, zProxies } from "./proxy.ts";
export type { Proxies, Proxy } from "./proxy.ts";
export { ProxyPool } from "./proxy_pool.ts";
export type { ProxyHealth } from "./proxy_pool.ts";
