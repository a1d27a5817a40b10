import { z } from "zod";
import { jsonOrUndefined } from "../core/json.ts";

/** A forward proxy. `url` holds its credentials: never log it, log `label`. */
export type Proxy = {
  protocol: "http" | "https" | "socks5";
  host: string;
  port: number;
  username: string | undefined;
  password: string | undefined;
  url: string;
  /** The URL without credentials. */
  label: string;
};

const defaultPorts = { http: 80, https: 443, socks5: 1080 } as const;
const maxUrlLength = 1_000;

/** Parses a URL such as socks5://user:password@proxy.example.com:1080; null for any other text. */
export function parseProxy(text: string): Proxy | null {
  const url = text.length <= maxUrlLength ? URL.parse(text) : null;
  const protocol = url?.protocol.slice(0, -1);
  if (url === null || (protocol !== "http" && protocol !== "https" && protocol !== "socks5")) return null;
  if (url.hostname === "" || (url.pathname !== "/" && url.pathname !== "") || url.search !== "" || url.hash !== "")
    return null;
  const port = url.port === "" ? defaultPorts[protocol] : Number(url.port);
  const decoded = (part: string) => (part === "" ? undefined : decodeURIComponent(part));
  try {
    return {
      protocol,
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port,
      username: decoded(url.username),
      password: decoded(url.password),
      url: url.href,
      label: `${protocol}://${url.hostname}:${port}`,
    };
  } catch {
    // A credential is not valid percent-encoding.
    return null;
  }
}

export type Proxies = {
  /** The proxy of a business: its own, else its shard's; undefined for a direct connection. */
  of(business: { id: string; shard: number | null }): Proxy | undefined;
  all(): Proxy[];
};

export const noProxies: Proxies = { of: () => undefined, all: () => [] };

const settings = z.strictObject({
  shards: z.record(z.string().regex(/^[1-9]\d{0,4}$/), z.string()).default({}),
  businesses: z.record(z.uuid(), z.string()).default({}),
});

const form = 'must be JSON such as {"shards": {"1": "socks5://…"}, "businesses": {"<id>": "http://…"}}';

/** EGRESS_PROXIES: the proxies of shards and businesses. No message repeats a part of the text: it holds secrets. */
export const zProxies = z.string().transform((text, context): Proxies => {
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  };
  const parsed = settings.safeParse(jsonOrUndefined(text));
  if (!parsed.success) return refuse(form);
  const byKey = new Map<string, Proxy>();
  for (const [kind, entries] of Object.entries(parsed.data)) {
    for (const [key, url] of Object.entries(entries)) {
      const proxy = parseProxy(url);
      if (proxy === null)
        return refuse(`the proxy of ${kind}.${key} must be an http, https or socks5 URL without a path`);
      byKey.set(`${kind} ${key.toLowerCase()}`, proxy);
    }
  }
  return {
    of: ({ id, shard }) => byKey.get(`businesses ${id.toLowerCase()}`) ?? byKey.get(`shards ${shard}`),
    all: () => [...new Map([...byKey.values()].map((proxy) => [proxy.url, proxy])).values()],
  };
});
