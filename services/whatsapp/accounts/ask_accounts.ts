import { USyncQuery, USyncUser } from "@whiskeysockets/baileys";
import type { BinaryNode, WASocket } from "@whiskeysockets/baileys";

/** The account of a number, as WhatsApp spells it; null if there is none. */
export type Accounts = Map<string, string | null>;

type Answer = { exists: boolean; asked: string | undefined };

/** Baileys' own protocol of this name drops the asked number, which distinguishes the answers. */
const contact: USyncQuery["protocols"][number] = {
  name: "contact",
  getQueryElement: () => ({ tag: "contact", attrs: {} }),
  getUserElement: ({ phone }) => ({ tag: "contact", attrs: {}, content: phone ?? "" }),
  parser: ({ attrs, content }: BinaryNode): Answer => ({
    exists: attrs["type"] === "in",
    asked: content instanceof Uint8Array ? Buffer.from(content).toString().replace(/\D/g, "") : undefined,
  }),
};

/**
 * Asks WhatsApp for the accounts of numbers. Undefined if WhatsApp did not answer. An answer is matched by the number
 * that it repeats, else by its own spelling; numbers that stay unmatched are asked one by one.
 */
export async function askAccounts(socket: WASocket, numbers: readonly string[]): Promise<Accounts | undefined> {
  const asked = [...new Set(numbers)];
  const query = new USyncQuery();
  query.protocols.push(contact);
  for (const number of asked) query.withUser(new USyncUser().withPhone(`+${number}`));
  const answer = await socket.executeUSyncQuery(query);
  if (answer === undefined) return undefined;
  const accounts: Accounts = new Map(asked.map((number) => [number, null]));
  const unmatched: string[] = [];
  for (const { id, contact: found } of answer.list as { id: string; contact?: Answer }[]) {
    if (found?.exists !== true) continue;
    const user = id.split("@")[0]!;
    const number = [found.asked, user, asked.length === 1 ? asked[0] : undefined].find(
      (each) => each !== undefined && accounts.has(each),
    );
    if (number === undefined) unmatched.push(id);
    else accounts.set(number, id);
  }
  if (unmatched.length > 0) {
    for (const number of asked.filter((each) => accounts.get(each) === null)) {
      accounts.set(number, (await askAccounts(socket, [number]))?.get(number) ?? null);
    }
  }
  return accounts;
}
