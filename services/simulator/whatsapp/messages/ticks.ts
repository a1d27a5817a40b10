import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import type { Login } from "../wire/connection.ts";
import { node } from "../wire/stanza.ts";

/** Largest delay between two ticks, ms. Clients buffer their own messages for about as long. */
const spread = 100;

/** A message, and the attributes that identify the sender of its ticks. */
type Ticked = { id: string; from?: string; participant?: string };

/** Sends a phone's receipts for a message, delivered and then read, according to its `ticks` setting and the faults. */
export function tick(
  { faults, stats, ledger }: Simulation,
  reader: Phone,
  sender: Login,
  { id, ...from }: Ticked,
): void {
  if (reader.ticks === "none") return;
  const fault = faults.strike("ticks", reader.phone, sender.phone.phone);
  if (fault?.mode === "none") return;
  const delay = fault?.mode === "delayed" ? fault.ms : 0;
  const delivered = Date.now() + delay + Math.random() * spread;
  const read = delivered + 1 + Math.random() * spread;
  const [deliveredAt, readAt] = fault?.mode === "reversed" ? [read, delivered] : [delivered, read];
  const put = (due: number, type?: string) => {
    stats.ticks_queued += 1;
    if (from.participant !== undefined) {
      const status = type === "read" ? "read" : "delivered";
      ledger.record({ event: "member_tick", phone: sender.phone.phone, id, member: reader.phone, status });
    }
    sender.device.mailbox.put(node("receipt", { ...from, id, type, t: String(Math.floor(due / 1000)) }), { due });
  };
  const ticks: [number, string?][] = reader.ticks === "read" ? [[deliveredAt], [readAt, "read"]] : [[deliveredAt]];
  for (const [due, type] of ticks.sort(([a], [b]) => a - b)) put(due, type);
}
