import { jidNormalizedUser } from "@whiskeysockets/baileys";
import type { GroupMetadata, WASocket } from "@whiskeysockets/baileys";

/** Shortest time between two look-ups: a stranger may write in many groups. */
const spacingMs = 1_000;

type Options = { socket: () => WASocket; groupOf: (group: string) => Promise<GroupMetadata> };

/** Looks up members' numbers in the rosters of their groups. One look-up at a time; the others are dropped. */
export class MemberLookup {
  readonly #options: Options;
  #notBefore = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  /** Learns the number of a member that is known by its LID alone, if the roster has it. */
  find(group: string, lid: string): void {
    if (performance.now() < this.#notBefore) return;
    this.#notBefore = Number.POSITIVE_INFINITY;
    void this.#find(group, lid)
      // The roster is asked again when the member writes again.
      .catch(() => {})
      .finally(() => {
        this.#notBefore = performance.now() + spacingMs;
      });
  }

  async #find(group: string, lid: string): Promise<void> {
    const { participants } = await this.#options.groupOf(group);
    const member = participants.find((each) =>
      [each.id, each.lid].some((jid) => jid && jidNormalizedUser(jid) === lid),
    );
    const { lidMapping } = this.#options.socket().signalRepository;
    if (member?.phoneNumber) await lidMapping.storeLIDPNMappings([{ lid, pn: member.phoneNumber }]);
  }
}
