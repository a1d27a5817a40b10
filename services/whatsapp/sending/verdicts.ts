import { refusalCode } from "../chats/query.ts";

/*
 * The meaning of WhatsApp's codes for a message. Only this table makes a refusal final: a code that is not listed is
 * final from 400 to 499, and passing from 500 on.
 *
 * WhatsApp publishes no list. Each row names its source: "whatsmeow", "Baileys" and "WAHA" are their public code and
 * issues.
 */

/** The wait after a refusal, if WhatsApp names none. It doubles with each refusal in a row. */
export type Wait = { firstMs: number; maxMs: number };

/** A refusal that says nothing about the message: it is sent again later. */
export type Passing = {
  is: "passing";
  /** The scope of the wait: the chat, or everything that the account sends. */
  holds: "chat" | "account";
  wait: Wait;
};
type Final = { is: "final"; meaning: string };

const second = 1_000;
const minute = 60 * second;

const soon: Wait = { firstMs: second, maxMs: 10 * minute };
const outage: Wait = { firstMs: 5 * second, maxMs: 10 * minute };
const throttled: Wait = { firstMs: minute, maxMs: 60 * minute };

/** Codes in the acknowledgement of a message. */
const acks: Record<string, Passing | Final | undefined> = {
  // The account may not write to this chat: it left the group, or only administrators write. whatsmeow #679.
  "403": { is: "final", meaning: "WhatsApp does not let this account write to this chat (403)" },
  // No such account or group. Our own tests against the server's answers of 2025.
  "404": { is: "final", meaning: "WhatsApp does not know the recipient (404)" },
  // The server gave up on its own work. Baileys #1061.
  "408": { is: "passing", holds: "chat", wait: outage },
  // The addressing mode of the group, or a list of devices, is out of date: read again before the next attempt.
  // Baileys #1807, whatsmeow send.go.
  "421": { is: "passing", holds: "chat", wait: soon },
  // Too many messages: the account, not the message. Baileys #1061.
  "429": { is: "passing", holds: "account", wait: throttled },
  // The account may not start chats for now, or the contact's privacy token is missing. Another attempt counts as
  // another new chat. Baileys #2441, whatsapp-rust #914.
  "463": { is: "final", meaning: "WhatsApp does not let this account start new chats for now (463)" },
  // The stanza is malformed, or names a device that no longer exists. Baileys SERVER_ERROR_CODES, whatsmeow #922.
  "479": { is: "final", meaning: "WhatsApp did not accept the form of the message (479)" },
  // Outages of WhatsApp's own. Baileys #796, #1061.
  "500": { is: "passing", holds: "chat", wait: outage },
  "503": { is: "passing", holds: "chat", wait: outage },
};

const unknownOutage: Passing = { is: "passing", holds: "chat", wait: outage };

/** The wait after WhatsApp refused a query that a message needs. */
export const queryWait: Wait = { firstMs: 15 * second, maxMs: 10 * minute };
/** The wait of the account after WhatsApp refused messages of several chats in a row. */
export const accountWait: Wait = { firstMs: 15 * second, maxMs: 10 * minute };

/** Codes with which WhatsApp refuses a query for a reason of its own. The message is not at fault. */
const passingQueries: ReadonlySet<number> = new Set([408, 421, 429]);

/** The meaning of an acknowledgement with this code. */
export function verdictOf(code: string): Passing | Final {
  const unlisted: Final = { is: "final", meaning: `WhatsApp refused the message (${code})` };
  return acks[code] ?? (Number(code) >= 500 ? unknownOutage : unlisted);
}

/** The code of a query that WhatsApp refused temporarily or did not answer; undefined for any other error. */
export function passingQuery(error: unknown): number | undefined {
  const code = refusalCode(error);
  return code !== undefined && (passingQueries.has(code) || code >= 500) ? code : undefined;
}
