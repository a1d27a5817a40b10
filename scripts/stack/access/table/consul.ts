import { maintenanceKey } from "../../../cli/scale/maintenance_setting.ts";
import { callLimitKey } from "../../../../lib/calls/limit.ts";
import { platformPacingKey } from "../../../../lib/contracts/shard/pacing.ts";
import { waVersionKey } from "../../../../lib/contracts/shard/wa_version.ts";
import { assignmentRuleKey } from "../../../../lib/routing/assignment_rule.ts";
import { cordonKey } from "../../../../lib/routing/cordon.ts";
import { numShardsKey, ownerKey } from "../../../../lib/routing/index.ts";
import { lastBackupKey } from "../../../../services/workers/upkeep/last_backup.ts";
import { autoscalerLockKey, controlKey, scaleLockKey } from "../../../../lib/scaling/index.ts";
import { askAs, brief, rowsOf, succeeding } from "./row.ts";
import type { Ask, Attempt, Section } from "./row.ts";

/** A key of each kind that the platform stores in Consul, and one of another program. */
export const consulKeys: readonly string[] = [
  numShardsKey,
  assignmentRuleKey,
  cordonKey,
  platformPacingKey,
  waVersionKey,
  ownerKey(1),
  ownerKey(2),
  "prosaas/whatsapp/relocations/1",
  "prosaas/restores/1",
  scaleLockKey,
  autoscalerLockKey,
  controlKey,
  callLimitKey,
  lastBackupKey,
  maintenanceKey,
  "another/key",
];

const short = (key: string) => key.replace(/^prosaas\//, "");
/** @throws Error for what is neither an answer nor a refusal */
function isOk({ status, text }: { status: number; text: string }): boolean {
  if (status === 200) return true;
  if (status === 401 || status === 403) return false;
  throw new Error(`Consul answered ${status}: ${text}`);
}
const random = () => crypto.randomUUID().slice(0, 8);
const isListed = (text: string) => (JSON.parse(text) as unknown[]).length > 0;

const also: readonly Attempt[] = [
  { name: "hold locks", succeeds: async (ask) => isOk(await ask("PUT", "/v1/session/create", { TTL: "10s" })) },
  {
    name: "list nodes",
    succeeds: async (ask) => {
      const answer = await ask("GET", "/v1/catalog/nodes");
      return isOk(answer) && isListed(answer.text);
    },
  },
  {
    name: "change nodes",
    succeeds: async (ask) =>
      isOk(await ask("PUT", "/v1/catalog/register", { Node: `intruder-${random()}`, Address: "127.0.0.1" })),
  },
  { name: "read agents", succeeds: async (ask) => isOk(await ask("GET", "/v1/agent/self")) },
  { name: "change agents", succeeds: async (ask) => isOk(await ask("PUT", "/v1/agent/force-leave/nobody")) },
  { name: "read servers", succeeds: async (ask) => isOk(await ask("GET", "/v1/operator/raft/configuration")) },
  { name: "fire events", succeeds: async (ask) => isOk(await ask("PUT", "/v1/event/fire/intruder", "")) },
  { name: "read tokens", succeeds: async (ask) => isOk(await ask("GET", "/v1/acl/tokens")) },
  {
    name: "write policies",
    succeeds: async (ask) => isOk(await ask("PUT", "/v1/acl/policy", { Name: `intruder-${random()}`, Rules: "" })),
  },
  { name: "take snapshots", succeeds: async (ask) => isOk(await ask("GET", "/v1/snapshot")) },
];

/** Tries every key, service and right with every token, on a Consul that has all these keys and services. */
export async function measureConsul(
  addr: string,
  tokens: ReadonlyMap<string, string | undefined>,
  services: readonly string[],
): Promise<Section> {
  const reads = consulKeys.map((key) => ({
    name: short(key),
    succeeds: async (ask: Ask) => isOk(await ask("GET", `/v1/kv/${key}`)),
  }));
  const writes = consulKeys.map((key) => ({
    name: short(key),
    succeeds: async (ask: Ask) => isOk(await ask("PUT", `/v1/kv/${key}`, "1")),
  }));
  const sees = services.map((service) => ({
    name: service,
    succeeds: async (ask: Ask) => {
      const answer = await ask("GET", `/v1/health/service/${service}`);
      return isOk(answer) && isListed(answer.text);
    },
  }));
  const registers = services.map((service) => ({
    name: service,
    succeeds: async (ask: Ask) =>
      isOk(await ask("PUT", "/v1/agent/service/register", { ID: `${service}-${random()}`, Name: service, Port: 1 })),
  }));
  const rows = await rowsOf(tokens, async (secret) => {
    const ask = askAs(`http://${addr}`, secret === undefined ? {} : { "x-consul-token": secret });
    const names = async (attempts: readonly Attempt[]) =>
      brief(
        await succeeding(attempts, ask),
        attempts.map(({ name }) => name),
      );
    return {
      "reads keys": await names(reads),
      "writes keys": await names(writes),
      "sees services": await names(sees),
      "registers services": await names(registers),
      "may also": await succeeding(also, ask),
    };
  });
  return { title: "Consul", columns: Object.keys(rows[0]!.allowed), rows };
}
