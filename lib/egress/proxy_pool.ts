import { messageOf } from "../core/errors.ts";
import { startBridge } from "./bridge.ts";
import type { Bridge } from "./bridge.ts";
import type { Proxies, Proxy } from "./proxy.ts";
import { openTunnel } from "./tunnel.ts";
import type { Target } from "./tunnel.ts";

export type ProxyHealth = {
  /** The proxy's URL without credentials. */
  proxy: string;
  /** Null before the first check. */
  healthy: boolean | null;
  /** Unix ms; null before the first check. */
  checkedAt: number | null;
  error: string | null;
};

export type ProxyPoolOptions = {
  proxies: Proxies;
  /** The address that a check reaches through each proxy. Without it nothing is checked. */
  target?: Target;
  everyMs?: number;
  timeoutMs?: number;
  onChange?: (health: ProxyHealth) => void;
};

type Member = { proxy: Proxy; httpUrl: string; health: ProxyHealth };

/** The proxies of a process, each with its health. One that is dead affects its own businesses only. */
export class ProxyPool {
  readonly #options: ProxyPoolOptions;
  readonly #members = new Map<string, Member>();
  readonly #bridges: Bridge[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(options: ProxyPoolOptions) {
    this.#options = options;
  }

  static async start(options: ProxyPoolOptions): Promise<ProxyPool> {
    const pool = new ProxyPool(options);
    for (const proxy of options.proxies.all()) {
      const health = { proxy: proxy.label, healthy: null, checkedAt: null, error: null };
      const bridge = proxy.protocol === "socks5" ? await startBridge(proxy) : undefined;
      if (bridge !== undefined) pool.#bridges.push(bridge);
      pool.#members.set(proxy.url, { proxy, httpUrl: bridge?.url ?? proxy.url, health });
    }
    const { target } = options;
    if (pool.#members.size > 0 && target !== undefined) {
      void pool.#check(target);
      pool.#timer = setInterval(() => void pool.#check(target), options.everyMs ?? 30_000);
    }
    return pool;
  }

  /** The URL to give to Bun as a proxy; undefined for a direct connection. It holds credentials. */
  urlOf(business: { id: string; shard: number | null }): string | undefined {
    return this.#memberOf(business)?.httpUrl;
  }

  healthOf(business: { id: string; shard: number | null }): ProxyHealth | undefined {
    return this.#memberOf(business)?.health;
  }

  health(): ProxyHealth[] {
    return [...this.#members.values()].map(({ health }) => health);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const bridge of this.#bridges) bridge.stop();
  }

  #memberOf(business: { id: string; shard: number | null }): Member | undefined {
    const proxy = this.#options.proxies.of(business);
    return proxy === undefined ? undefined : this.#members.get(proxy.url);
  }

  async #check(target: Target): Promise<void> {
    await Promise.all([...this.#members.values()].map((member) => this.#checkOne(member, target)));
  }

  async #checkOne(member: Member, target: Target): Promise<void> {
    const { timeoutMs = 10_000, onChange } = this.#options;
    const before = member.health.healthy;
    let error: string | null = null;
    try {
      (await openTunnel(member.proxy, target, timeoutMs)).destroy();
    } catch (failure) {
      error = messageOf(failure).slice(0, 200);
    }
    member.health = { proxy: member.proxy.label, healthy: error === null, checkedAt: Date.now(), error };
    if (member.health.healthy !== before) onChange?.(member.health);
  }
}
