import type { GroupMetadata } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { refusalCode } from "../chats/query.ts";
import { Undeliverable } from "../sending/errors.ts";

/** Groups cached for one session; a large one takes some 100 KB. */
const capacity = 50;
/** Bounds the effect of a missed notification. */
const lifetimeMs = 5 * 60_000;

type Entry = { metadata: Promise<GroupMetadata>; until: number };

/** The members of the groups that a session writes to. Queried once, and again after a change. */
export class GroupDirectory {
  readonly #ask: (group: string) => Promise<GroupMetadata>;
  readonly #entries = new BoundedMap<string, Entry>(capacity);

  constructor(ask: (group: string) => Promise<GroupMetadata>) {
    this.#ask = ask;
  }

  /** @throws Undeliverable if there is no such group, or the business is not in it. */
  async of(group: string): Promise<GroupMetadata> {
    const known = this.#entries.get(group);
    if (known !== undefined && known.until > Date.now()) return known.metadata;
    const metadata = this.#ask(group).catch((error: unknown) => {
      this.#entries.delete(group);
      throw refusalOf(error) ?? error;
    });
    this.#entries.set(group, { metadata, until: Date.now() + lifetimeMs });
    return metadata;
  }

  /** True if the group is known without a query. */
  has(group: string): boolean {
    return (this.#entries.get(group)?.until ?? 0) > Date.now();
  }

  /** The group has changed. */
  forget(group: string): void {
    this.#entries.delete(group);
  }
}

function refusalOf(error: unknown): Undeliverable | undefined {
  const code = refusalCode(error);
  return code === 401 || code === 403 || code === 404
    ? new Undeliverable("not_in_group", `There is no such group, or the business is not in it (${code}).`)
    : undefined;
}
