import type { Logger } from "../../../lib/runtime/log.ts";
import type { Faults } from "./faults/faults.ts";
import type { GroupBook } from "./groups/group_book.ts";
import type { Limits } from "./faults/limits.ts";
import type { NoiseIdentity } from "./noise/identity.ts";
import type { Pairing } from "./pairing/pairing.ts";
import type { MediaHost } from "./media/media_host.ts";
import type { PhoneBook } from "./phones/phonebook.ts";
import type { Stats } from "./stats.ts";
import type { Store } from "./store.ts";
import type { Connection } from "./wire/connection.ts";

/** Everything the handlers of stanzas and of control calls share. */
export type Simulation = {
  readonly store: Store;
  readonly phones: PhoneBook;
  readonly groups: GroupBook;
  readonly pairing: Pairing;
  readonly faults: Faults;
  readonly limits: Limits;
  readonly stats: Stats;
  readonly identity: NoiseIdentity;
  readonly logger: Logger;
  /** Where media is kept, for clients to reach by https. */
  readonly media: MediaHost | undefined;
  /** All open connections, logged in or not. */
  readonly connections: Set<Connection>;
};
