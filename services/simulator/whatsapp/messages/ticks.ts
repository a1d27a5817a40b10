import { randomBytes } from "node:crypto";
import type { Group } from "../groups/group.ts";
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
  const fault = faults.strikeIf("ticks", ({ mode }) => mode !== "combined", reader.phone, sender.phone.phone);
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

/** Sends the receipts of a group's members for a message: each alone or, by a fault, those of a kind in one stanza. */
export function tickInGroup(
  simulation: Simulation,
  readers: Phone[],
  sender: Login,
  { id, group }: { id: string; group: Group },
): void {
  const { faults, stats, ledger } = simulation;
  const ticking = readers.filter(({ ticks }) => ticks !== "none");
  if (ticking.length === 0 || !faults.strikeIf("ticks", ({ mode }) => mode === "combined", sender.phone.phone)) {
    for (const reader of readers) tick(simulation, reader, sender, { id, ...group.fromMember(reader) });
    return;
  }
  const due = Date.now() + Math.random() * spread;
  const t = String(Math.floor(due / 1000));
  for (const status of ["delivered", "read"] as const) {
    const members = status === "read" ? ticking.filter(({ ticks }) => ticks === "read") : ticking;
    if (members.length === 0) continue;
    for (const { phone } of members)
      ledger.record({ event: "member_tick", phone: sender.phone.phone, id, member: phone, status });
    stats.ticks_queued += members.length;
    const users = members.map((member) => node("user", { jid: group.nameOf(member), t }));
    const type = status === "read" ? "read" : undefined;
    const attrs = { id: randomBytes(8).toString("hex"), from: group.jid, t, type };
    sender.device.mailbox.put(node("receipt", attrs, [node("participants", { key: id }, users)]), { due });
  }
}
