import type { GroupMetadata } from "@whiskeysockets/baileys";
import { BoundedMap } from "../../../lib/core/bounded_map.ts";
import { refusalCode } from "../chats/query.ts";
import { Undeliverable } from "../sending/errors.ts";

/** Groups whose members are kept at hand for one session; a large one takes some 100 KB. */
const capacity = 50;
/** A notification that was missed is made up for after this long. */
const lifetimeMs = 5 * 60_000;

type Entry = { metadata: Promise<GroupMetadata>; until: number };

/** Who is in the groups that a session writes to. Asked of WhatsApp once, and again after a change. */
export class GroupDirectory {
  readonly #ask: (group: string) => Promise<GroupMetadata>;
  readonly #entries = new BoundedMap<string, Entry>(capacity);

  constructor(ask: (group: string) => Promise<GroupMetadata>) {
    this.#ask = ask;
  }

  /** @throws Undeliverable where there is no such group, or the business is not in it. */
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

  /** Whether the group is known without asking. */
  has(group: string): boolean {
    return (this.#entries.get(group)?.until ?? 0) > Date.now();
  }

  /** Something about the group has changed. */
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
