/** Ends the message of a refusal: names the remedies. */
export const wayOut = (shard: number) =>
  `See "Refused volumes" in services/whatsapp/copy/README.md; ` +
  `./scripts/task copies -- --discard ${shard} deletes the copy.`;
