import { Cooldown } from "./cooldown.ts";
import { accountWait, queryWait } from "./verdicts.ts";

/** The waits of an account after WhatsApp's temporary refusals. They outlive a connection: the account is the same. */
export type Cooldowns = {
  /** Queries that messages need: accounts, devices, keys, groups. */
  queries: Cooldown;
  /** Queries for the media host. */
  media: Cooldown;
  /** All messages. */
  messages: Cooldown;
};

export function createCooldowns(scale = 1): Cooldowns {
  return {
    queries: new Cooldown({ ...queryWait, scale }),
    media: new Cooldown({ ...queryWait, scale }),
    messages: new Cooldown({ ...accountWait, scale }),
  };
}
