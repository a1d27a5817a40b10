import purgeBusiness from "../businesses/purge_business.sql" with { type: "text" };
import learnChatAliases from "../chats/learn_chat_aliases.sql" with { type: "text" };
import unconfirmedChatAliases from "../chats/unconfirmed_chat_aliases.sql" with { type: "text" };
import type { OwnerConnection } from "../client/owner.ts";
import applyReceipts from "../messages/apply_receipts.sql" with { type: "text" };
import findInbound from "../inbound/find_inbound.sql" with { type: "text" };
import insertInbound from "../inbound/insert_inbound.sql" with { type: "text" };
import dropMessagePartitions from "../messages/drop_message_partitions.sql" with { type: "text" };
import ensureMessagePartitions from "../messages/ensure_message_partitions.sql" with { type: "text" };
import getMessage from "../messages/get_message.sql" with { type: "text" };
import messageStatusRank from "../messages/message_status_rank.sql" with { type: "text" };
import uuidv7Floor from "../messages/uuidv7_floor.sql" with { type: "text" };
import { claimFunctions } from "../outbox/claim_function.ts";
import recordSendResults from "../outbox/record_send_results.sql" with { type: "text" };
import releaseOnInbound from "../outbox/release_on_inbound.sql" with { type: "text" };
import submitMessages from "../outbox/submit_messages.sql" with { type: "text" };

/** Every function of the database, each after the functions that it calls. */
export const functions: readonly string[] = [
  messageStatusRank,
  uuidv7Floor,
  ensureMessagePartitions,
  dropMessagePartitions,
  getMessage,
  unconfirmedChatAliases,
  learnChatAliases,
  applyReceipts,
  submitMessages,
  ...claimFunctions,
  recordSendResults,
  findInbound,
  insertInbound,
  releaseOnInbound,
  purgeBusiness,
];

/**
 * Creates or replaces every function, in one transaction and after the migrations. A function changes in its own file:
 * the migrations that once created it are history. Only a changed signature needs a migration, which drops the old one.
 */
export async function applyFunctions(sql: OwnerConnection): Promise<void> {
  await sql.begin(async (tx) => {
    for (const text of functions) await tx.unsafe(text).simple();
  });
}
