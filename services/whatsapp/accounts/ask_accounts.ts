import {
  getBinaryNodeChild,
  getBinaryNodeChildren,
  isLidUser,
  isPnUser,
  jidDecode,
  USyncQuery,
  USyncUser,
} from "@whiskeysockets/baileys";
import type { BinaryNode, WASocket } from "@whiskeysockets/baileys";
import { phoneJid } from "../codec/jid.ts";

/** The JID of a number's account, with the number as WhatsApp spells it; null if there is none. */
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

/** Prefers an account's number to its LID. Baileys' parser drops the number beside a LID. */
class AccountQuery extends USyncQuery {
  override parseUSyncQueryResult(result: BinaryNode | undefined) {
    const list = getBinaryNodeChild(getBinaryNodeChild(result, "usync"), "list");
    for (const { attrs } of getBinaryNodeChildren(list, "user")) {
      const { jid, pn_jid: number } = attrs;
      if (isLidUser(jid) && number !== undefined && isPnUser(number)) attrs["jid"] = number;
    }
    return super.parseUSyncQueryResult(result);
  }
}

/** As long as the callers wait. */
const answerDeadlineMs = 8_000;

/**
 * Asks WhatsApp for the accounts of numbers. Undefined if WhatsApp did not answer for each of them in time. An answer
 * is matched by the number that it repeats, else by its own spelling; numbers that stay unmatched are asked one by one.
 * An account that WhatsApp names by its LID alone keeps the spelling that was asked for.
 */
export async function askAccounts(
  socket: WASocket,
  numbers: readonly string[],
  { deadlineMs = answerDeadlineMs } = {},
): Promise<Accounts | undefined> {
  const deadline = performance.now() + deadlineMs;
  const asked = [...new Set(numbers)];
  const query = new AccountQuery();
  query.protocols.push(contact);
  for (const number of asked) query.withUser(new USyncUser().withPhone(`+${number}`));
  const answer = await socket.executeUSyncQuery(query);
  if (answer === undefined) return undefined;
  const accounts: Accounts = new Map(asked.map((number) => [number, null]));
  let unmatched = false;
  for (const { id, contact: found } of answer.list as { id: string; contact?: Answer }[]) {
    if (found?.exists !== true) continue;
    const user = isPnUser(id) ? jidDecode(id)?.user : undefined;
    const number = [found.asked, user, asked.length === 1 ? asked[0] : undefined].find(
      (each) => each !== undefined && accounts.has(each),
    );
    if (number === undefined) unmatched = true;
    else accounts.set(number, phoneJid(user ?? number));
  }
  if (unmatched) {
    for (const number of asked.filter((each) => accounts.get(each) === null)) {
      const left = deadline - performance.now();
      const single = left > 0 ? await askAccounts(socket, [number], { deadlineMs: left }) : undefined;
      if (single === undefined) return undefined;
      accounts.set(number, single.get(number) ?? null);
    }
  }
  return accounts;
}
