import { readRun } from "../../cli/operator/command_line.ts";
import { startServers } from "../../testing/servers.ts";
import { fuzzApi } from "./campaign.ts";

const usage = `Usage: task fuzz:api [-- --json] [-- --requests N] [-- --seed N]

Asks every operation of the OpenAPI document for what it takes and for what it does not, as nobody, as a tenant and as
the admin, against a real database; then looks whether anything of another tenant's was shown or changed. Exits 1 if
anything was found.

  --json         one JSON object as the last line
  --requests N   how many (20000)
  --seed N       the same seed asks the same (a new one each time)`;

const { json, requests, seed } = readRun(usage, { requests: 20_000, seed: 1 + (Date.now() % 1_000_000) });

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
  console.log(json ? JSON.stringify(result) : JSON.stringify(result, null, 2));
  process.exitCode = result.server_errors + result.invalid_responses + result.leaks > 0 ? 1 : 0;
} finally {
  await servers.stop();
}
