import { wholeNumber } from "../../cli/arguments.ts";
import { labCommand, publish } from "../command.ts";
import { startServers } from "../../testing/servers.ts";
import { fuzzApi } from "./campaign.ts";

const values = labCommand(
  "fuzz:api",
  `Send generated requests to every operation of the API.

Valid and invalid requests come from no one, a tenant, a tenant with few scopes and the admin,
against a real database. Then looks for data of another tenant that was shown or changed. Exits 1 if
anything was found.`,
)
  .option("--requests <n>", "requests", wholeNumber(), 20_000)
  .option("--seed <n>", "repeat the requests of this seed (default: random)", wholeNumber())
  .parse()
  .opts();
const { requests, seed = 1 + (Date.now() % 1_000_000) } = values;

const servers = await startServers();
Object.assign(process.env, servers.env);
try {
  process.stderr.write(`seed ${seed}\n`);
  const seen = new Map<string, number>();
  const result = await fuzzApi({
    requests,
    seed,
    onFinding: ({ kind, request, what }) => {
      // The same fault a hundred times is one fault.
      const times = (seen.get(what) ?? 0) + 1;
      seen.set(what, times);
      if (times === 1) process.stderr.write(`${kind}: ${request}\n    ${what}\n`);
    },
  });
  await publish("fuzz:api", values, result);
  process.exitCode = result.server_errors + result.invalid_responses + result.leaks > 0 ? 1 : 0;
} finally {
  await servers.stop();
}
