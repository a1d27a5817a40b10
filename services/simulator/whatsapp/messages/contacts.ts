import { proto } from "@whiskeysockets/baileys";
import type { Phone } from "../phones/phone.ts";
import type { Simulation } from "../simulation.ts";
import { messageId, post } from "./write.ts";

const { LID_MIGRATION_MAPPING_SYNC } = proto.Message.ProtocolMessage.Type;

/** A phone's statement which LIDs numbers have. */
export function lidStatement(contacts: Pick<Phone, "phone" | "lid">[]): proto.IMessage {
  const pnToLidMappings = contacts.map(({ phone: pn, lid: assignedLid }) => ({ pn, assignedLid }));
  const encodedMappingPayload = proto.LIDMigrationMappingSyncPayload.encode(
    proto.LIDMigrationMappingSyncPayload.fromObject({ pnToLidMappings }),
  ).finish();
  return {
    protocolMessage: { type: LID_MIGRATION_MAPPING_SYNC, lidMigrationMappingSyncMessage: { encodedMappingPayload } },
  };
}

/** Sends a phone's companions the LID of a number, as the phone does when its owner adds a contact. */
export async function shareContact(simulation: Simulation, owner: Phone, contact: Phone): Promise<void> {
  const content = lidStatement([contact]);
  for (const device of owner.devices.values()) {
    await post(simulation, { from: owner, device, id: messageId(), timestamp: Date.now(), content, peer: true });
  }
  await simulation.store.committed();
}
