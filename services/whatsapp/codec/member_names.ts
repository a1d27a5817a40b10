import { jidNormalizedUser } from "@whiskeysockets/baileys";
import type { GroupMetadata, proto } from "@whiskeysockets/baileys";

/** The JID by which the group knows each member, by the member's other JID: LIDs by number, or the reverse. */
export function memberNames({ participants }: GroupMetadata): Map<string, string> {
  const names = new Map<string, string>();
  for (const { id, lid, phoneNumber } of participants) {
    for (const other of [lid, phoneNumber]) if (other) names.set(jidNormalizedUser(other), id);
  }
  return names;
}

/**
 * Renames the people in a message to the JIDs that the group uses, LIDs or phone numbers. Under the other JID a phone
 * does not find the message that is meant.
 */
export function withMemberNames(message: proto.IMessage, group: GroupMetadata, own: string[]): proto.IMessage {
  const names = memberNames(group);
  // The business itself: WhatsApp does not always list both of its JIDs.
  const self = group.participants.find(({ id }) => own.includes(jidNormalizedUser(id)))?.id;
  if (self !== undefined) for (const name of own) names.set(name, self);

  const renamed = <T extends { participant?: string | null }>(named: T): T => {
    const name = named.participant ? names.get(jidNormalizedUser(named.participant)) : undefined;
    return name === undefined ? named : { ...named, participant: name };
  };
  return Object.fromEntries(
    Object.entries(message as Record<string, unknown>).map(([kind, content]) => {
      if (typeof content !== "object" || content === null) return [kind, content];
      const { key, contextInfo } = content as {
        key?: proto.IMessageKey | null;
        contextInfo?: proto.IContextInfo | null;
      };
      return [
        kind,
        Object.assign({}, content, key && { key: renamed(key) }, contextInfo && { contextInfo: renamed(contextInfo) }),
      ];
    }),
  );
}
