import { PostgresSide } from "./postgres_side.ts";
import type { Stage } from "./stage.ts";
import { WhatsAppSide } from "./whatsapp_side.ts";

/** Both ends of a run, read after its last message. */
export type BothSides = {
  whatsapp: WhatsAppSide;
  postgres: PostgresSide;
  /** The chats of each account in Postgres, by id of the business and number. */
  chats: ReadonlyMap<string, ReadonlySet<string>>;
};

export async function readBothSides({ simulator, owner }: Pick<Stage, "simulator" | "owner">): Promise<BothSides> {
  const [whatsapp, postgres] = await Promise.all([WhatsAppSide.read(simulator), PostgresSide.read(owner)]);
  const chats = new Map<string, Set<string>>();
  for (const { business_id, chat } of postgres.rows) {
    const account = whatsapp.accountOf(chat);
    if (account === undefined) continue;
    const key = `${business_id} ${account}`;
    const known = chats.get(key);
    if (known === undefined) chats.set(key, new Set([chat]));
    else known.add(chat);
  }
  return { whatsapp, postgres, chats };
}
