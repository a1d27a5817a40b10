import type { Volume } from "../volume/volume.ts";

/** Ends the message of a refusal: names the remedies. */
export const wayOut = (shard: number) =>
  `See "Refused volumes" in services/whatsapp/copy/README.md; ` +
  `./scripts/task copies -- --discard ${shard} deletes the copy.`;

/** Why a volume must not be served, with the remedies. */
export const refusal = ({ path, shard }: Volume, why: string) =>
  `The volume at ${path} is refused: ${why}. ${wayOut(shard)}`;
