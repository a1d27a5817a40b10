import { messageOf } from "../../lib/core/errors.ts";
import { readNomadAddress } from "../cli/operator/stack.ts";
import { createNomad } from "./nomad.ts";
import { ensureShardSecrets, maxShards } from "./shard_secrets.ts";

// For a cluster that was not made by scripts/up, before its shards are deployed; later `task scale:shards` does it.

const usage = "Usage: [NOMAD_ADDR=… NOMAD_TOKEN=…] task secrets:shards N=COUNT";

try {
  const count = Number(process.argv[2]);
  if (!Number.isInteger(count) || count < 1 || count > maxShards)
    throw new Error(`N must be from 1 to ${maxShards}. ${usage}`);
  const changed = await ensureShardSecrets(createNomad(await readNomadAddress()), count);
  process.stderr.write(`The secrets of shards 1 to ${count} are ${changed ? "written" : "unchanged"}.\n`);
} catch (error) {
  process.stderr.write(`secrets:shards: ${messageOf(error)}\n`);
  process.exit(1);
}
