import { decryptPollVote } from "@whiskeysockets/baileys";
import type { proto } from "@whiskeysockets/baileys";
import { createHash } from "node:crypto";
import { pollOf } from "./original.ts";

export type Ballot = {
  /** The poll as it was sent. */
  poll: proto.IMessage;
  pollId: string;
  /** JIDs of the poll's creator and of the voter. The key is derived from one of each; the vote does not say which. */
  creators: string[];
  voters: string[];
};

/** The chosen options, in the order of the poll; undefined if the vote cannot be decrypted. */
export function chosenOptions(
  vote: proto.Message.IPollEncValue,
  { poll, pollId, creators, voters }: Ballot,
): string[] | undefined {
  const secret = poll.messageContextInfo?.messageSecret;
  const options = pollOf(poll)?.options;
  if (!secret || !options) return undefined;
  for (const pollCreatorJid of creators) {
    for (const voterJid of voters) {
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
    // Derived from other JIDs.
    return undefined;
  }
}

const digestOf = (option: string) => createHash("sha256").update(option).digest("hex");
