import { z } from "@hono/zod-openapi";
import type { Simulation } from "../simulation.ts";
import { node, server, stanzaId } from "../wire/stanza.ts";
import type { Phone } from "./phone.ts";

/** The restrictions of an account: what WhatsApp lets it start. Times are Unix seconds. */
export const standing = z.strictObject({
  /** Until then the account may not start chats. */
  locked_until: z.int().min(0).nullable().default(null),
  /** The new chats of the present period. */
  new_chats: z
    .strictObject({ total: z.int().min(0), used: z.int().min(0), ends_at: z.int().min(0) })
    .nullable()
    .default(null),
});
export type Standing = z.output<typeof standing>;

export const unrestricted: Standing = { locked_until: null, new_chats: null };

/** The answer to a client's question after its reach-out time lock. */
export const timeLockOf = ({ locked_until }: Standing) => ({
  is_active: locked_until !== null && locked_until * 1_000 > Date.now(),
  time_enforcement_ends: String(locked_until ?? 0),
  enforcement_type: "DEFAULT",
});

/** The answer to a client's question after its cap of new chats. */
export const capOf = ({ new_chats: chats }: Standing) => ({
  total_quota: chats?.total ?? -1,
  used_quota: chats?.used ?? 0,
  cycle_end_timestamp: String(chats?.ends_at ?? 0),
  server_sent_timestamp: String(Math.floor(Date.now() / 1_000)),
  capping_status: "NONE",
});

/** Sets an account's restrictions and notifies its companions, as WhatsApp does. */
export async function restrict({ store }: Simulation, phone: Phone, next: Standing): Promise<void> {
  phone.change({ standing: next });
  const updates: [string, object][] = [
    ["NotificationUserReachoutTimelockUpdate", { xwa2_notify_account_reachout_timelock: timeLockOf(next) }],
    ["MessageCappingInfoNotification", { xwa2_notify_new_chat_messages_capping_info_update: capOf(next) }],
  ];
  for (const device of phone.devices.values()) {
    for (const [op_name, data] of updates) {
      device.mailbox.put(
        node("notification", { from: server, type: "mex", id: stanzaId() }, [
          node("update", { op_name }, Buffer.from(JSON.stringify({ data }))),
        ]),
      );
    }
  }
  await store.committed();
}
