import { jidDecode } from "@whiskeysockets/baileys";

/** The names under which the business's own keys for a group are kept, by either of its JIDs. */
export function ownSenderKeys(group: string, jids: (string | undefined)[]): string[] {
  return jids.flatMap((jid) => {
    const decoded = jidDecode(jid);
    if (decoded === undefined) return [];
    // Baileys' form: the JID's domain is in the name where it is not the phone number's.
    const user = decoded.domainType ? `${decoded.user}_${decoded.domainType}` : decoded.user;
    return [`${group}::${user}::${decoded.device ?? 0}`];
  });
}
