import { Option } from "@commander-js/extra-typings";
import { bodyOf } from "../../../lib/api-client/index.ts";
import { adminApi } from "./admin_api.ts";
import { resultCommand } from "../arguments.ts";
import { allPages } from "./pages.ts";
import { readStack } from "./stack.ts";
import { table } from "./table.ts";

const command = resultCommand(
  "quarantine",
  `List, show, replay and discard quarantined entries: entries of shards' journals that no worker could write.

Without options: lists the entries without their contents. An entry that is shown is audited as a read of its
business's data.`,
  "-- [OPTIONS]",
)
  .addOption(
    new Option("--show <id>", "print one entry with its content").conflicts(["replay", "replayAll", "discard"]),
  )
  .addOption(new Option("--replay <id>", "write one entry again").conflicts(["replayAll", "discard"]))
  .addOption(new Option("--replay-all", "write all entries again").conflicts("discard"))
  .addOption(new Option("--discard <id>", "delete one entry"))
  .parse();
const asked = command.opts();

const api = await adminApi(await readStack(), { timeoutMs: 60_000 });

const json = (value: unknown) => console.log(JSON.stringify(value));
const entries = () =>
  allPages((cursor) => bodyOf(api.GET("/v1/admin/quarantine", { params: { query: { limit: 200, cursor } } })));

async function list(): Promise<void> {
  const data = await entries();
  if (asked.json) return json({ entries: data });
  if (data.length === 0) return console.log("No entry is quarantined.");
  const rows = data.map(({ id, shard, stream, business_id, created_at, replay_requested_at, reason }) => [
    id,
    `${shard}`,
    stream,
    business_id ?? "-",
    created_at,
    replay_requested_at === null ? "no" : "pending",
    reason,
  ]);
  console.log(table([["id", "shard", "stream", "business", "quarantined", "replay", "reason"], ...rows]));
}

async function show(entry_id: string): Promise<void> {
  const found = (await entries()).find(({ id }) => id === entry_id);
  if (found === undefined) return command.error(`error: there is no quarantined entry ${entry_id}`);
  const { business_id } = found;
  if (business_id === null) return console.log(JSON.stringify(found, undefined, asked.json ? 0 : 2));
  const path = { business_id, entry_id };
  const entry = await bodyOf(api.GET("/v1/admin/businesses/{business_id}/quarantine/{entry_id}", { params: { path } }));
  console.log(JSON.stringify(entry, undefined, asked.json ? 0 : 2));
}

function requested({ requested: count }: { requested: number }): void {
  if (asked.json) return json({ requested: count });
  console.log(`${count} ${count === 1 ? "replay" : "replays"} requested; list again to see what was refused`);
}

if (asked.show !== undefined) {
  await show(asked.show);
} else if (asked.replay !== undefined) {
  const path = { entry_id: asked.replay };
  requested(await bodyOf(api.POST("/v1/admin/quarantine/{entry_id}/replay", { params: { path } })));
} else if (asked.replayAll === true) {
  requested(await bodyOf(api.POST("/v1/admin/quarantine/replay", { params: { query: {} } })));
} else if (asked.discard !== undefined) {
  await api.DELETE("/v1/admin/quarantine/{entry_id}", { params: { path: { entry_id: asked.discard } } });
  if (asked.json) json({ discarded: 1 });
  else console.log("discarded");
} else {
  await list();
}
