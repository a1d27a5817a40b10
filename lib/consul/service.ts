import type { ConsulClient } from "./client.ts";
import { watch } from "./watch.ts";

export type FollowedService = {
  /** `http://host:port` of each instance whose checks pass. During an outage of Consul, the last known ones. */
  addresses(): readonly string[];
  /** Resolves at the first answer. */
  readonly ready: Promise<void>;
};

export type FollowServiceOptions = {
  consul: ConsulClient;
  name: string;
  /** The meta key that holds the port. Default: the service's own port. */
  portMeta?: string;
  signal: AbortSignal;
  onError?: (error: unknown) => void;
};

/** Follows the addresses of a service's instances with one blocking query. */
export function followService({ consul, name, portMeta, signal, onError }: FollowServiceOptions): FollowedService {
  let addresses: string[] = [];
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  void watch({
    consul,
    path: `/v1/health/service/${name}?passing=1&stale=1`,
    parse: (body) => parseAddresses(body, portMeta),
    onChange: (found) => {
      addresses = found;
      resolve();
    },
    ...(onError ? { onError } : {}),
    signal,
  });
  return { addresses: () => addresses, ready };
}

type Entry = {
  Node?: { Address?: string };
  Service?: { Address?: string; Port?: number; Meta?: Record<string, string> | null };
};

function parseAddresses(body: unknown, portMeta: string | undefined): string[] {
  if (!Array.isArray(body)) return [];
  return (body as Entry[]).flatMap(({ Node, Service }) => {
    const address = Service?.Address || Node?.Address;
    const port = portMeta === undefined ? Service?.Port : Number(Service?.Meta?.[portMeta]);
    return address && port ? [`http://${address}:${port}`] : [];
  });
}
