/** What an operator can do about a refused volume; ends the message of the refusal. */
export const wayOut = (shard: number) =>
  `See "Refused volumes" in services/whatsapp/copy/README.md; ` +
  `./scripts/task copies -- --discard ${shard} deletes the copy.`;
