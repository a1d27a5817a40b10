import { jidDecode } from "@whiskeysockets/baileys";

/** The names of the business's own sender keys for a group, under either of its JIDs. */
export function ownSenderKeys(group: string, jids: (string | undefined)[]): string[] {
  return jids.flatMap((jid) => {
    const decoded = jidDecode(jid);
    if (decoded === undefined) return [];
    // Baileys' form: the name contains the JID's domain unless it is the phone number's.
    const user = decoded.domainType ? `${decoded.user}_${decoded.domainType}` : decoded.user;
    return [`${group}::${user}::${decoded.device ?? 0}`];
  });
}
