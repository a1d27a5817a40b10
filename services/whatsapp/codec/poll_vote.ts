import { decryptPollVote } from "@whiskeysockets/baileys";
import type { proto } from "@whiskeysockets/baileys";
import { createHash } from "node:crypto";

export type Ballot = {
  /** The poll as it was sent. */
  poll: proto.IMessage;
  pollId: string;
  /** Names of who asked, and of who votes. The key is made from one of each, and it is not said from which. */
  own: string[];
  writer: string[];
};

/** What was chosen, in the order of the poll; undefined where the vote cannot be read. */
export function chosenOptions(
  vote: proto.Message.IPollEncValue,
  { poll, pollId, own, writer }: Ballot,
): string[] | undefined {
  const secret = poll.messageContextInfo?.messageSecret;
  const options = (poll.pollCreationMessage ?? poll.pollCreationMessageV3)?.options;
  if (!secret || !options) return undefined;
  for (const pollCreatorJid of own) {
    for (const voterJid of writer) {
      const chosen = decrypted(vote, { pollCreatorJid, pollMsgId: pollId, pollEncKey: secret, voterJid });
      if (chosen === undefined) continue;
      const digests = new Set(chosen.map((digest) => Buffer.from(digest).toString("hex")));
      return options.map(({ optionName }) => optionName ?? "").filter((name) => digests.has(digestOf(name)));
    }
  }
  return undefined;
}

function decrypted(
  vote: proto.Message.IPollEncValue,
  context: Parameters<typeof decryptPollVote>[1],
): Uint8Array[] | undefined {
  try {
    return decryptPollVote(vote, context).selectedOptions ?? [];
  } catch {
    // Made from other names.
    return undefined;
  }
}

const digestOf = (option: string) => createHash("sha256").update(option).digest("hex");
