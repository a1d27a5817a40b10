import type { Logger } from "../../../lib/runtime/log.ts";
import type { Faults } from "./faults/faults.ts";
import type { GroupBook } from "./groups/group_book.ts";
import type { Ledger } from "./ledger.ts";
import type { Limits } from "./faults/limits.ts";
import type { NoiseIdentity } from "./noise/identity.ts";
import type { Pairing } from "./pairing/pairing.ts";
import type { MediaHost } from "./media/media_host.ts";
import type { PhoneBook } from "./phones/phonebook.ts";
import type { Stats } from "./stats.ts";
import type { Store } from "./store.ts";
import type { Connection } from "./wire/connection.ts";

/** State that the handlers of stanzas and of control API requests share. */
export type Simulation = {
  readonly store: Store;
  readonly phones: PhoneBook;
  readonly groups: GroupBook;
  readonly pairing: Pairing;
  readonly faults: Faults;
  readonly limits: Limits;
  readonly stats: Stats;
  readonly ledger: Ledger;
  readonly identity: NoiseIdentity;
  readonly logger: Logger;
  /** The media host; undefined if the simulator runs without one. */
  readonly media: MediaHost | undefined;
  /** All open connections, logged in or not. */
  readonly connections: Set<Connection>;
};
