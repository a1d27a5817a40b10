import { expect } from "bun:test";
import type { ApiClient } from "../../lib/api-client/index.ts";
import { until } from "../../lib/testing/until.ts";
import type { Finding } from "../cli/doctor/finding.ts";
import type { Stack } from "../cli/operator/stack.ts";
import { createNomad } from "../stack/nomad.ts";
import { readVariable, writeVariable } from "../stack/secrets.ts";
import { resultOf } from "./cluster.ts";
import type { Cluster } from "./cluster.ts";

/** Checks of doctor and logs on the stack of the end-to-end test. */

type Examined = { code: number; healthy: boolean; areas: string[]; findings: Finding[] };

export async function checkDoctor(cluster: Cluster, stack: Stack): Promise<void> {
  const examine = async (): Promise<Examined> => {
    const output = await cluster.run(["./scripts/task", "doctor", "--", "--json"]);
    return { ...(resultOf(output) as Examined), code: output.code };
  };
  let last: Examined | undefined;
  const healthy = await until(
    async () => {
      last = await examine();
      return last.findings.length === 0 ? last : undefined;
    },
    { deadlineMs: 60_000, everyMs: 500, what: "no finding" },
  ).catch(() => last);
  expect(healthy).toMatchObject({ code: 0, healthy: true, findings: [] });
  expect(healthy?.areas).toContain("shards");

  const nomad = createNomad(stack.nomad_addr);
  const before = await readVariable(nomad, "nomad/jobs");
  await writeVariable(nomad, "nomad/jobs", { ...before.Items, NONSENSE: "1" }, before);
  const { code, findings } = await examine();
  await writeVariable(nomad, "nomad/jobs", before.Items, await readVariable(nomad, "nomad/jobs"));
  expect(code).toBe(1);
  expect(findings).toEqual([
    expect.objectContaining({ area: "settings", severity: "error", found: expect.stringContaining("NONSENSE") }),
  ]);
}

type Line = { name: string; fields?: { request_id?: string; path?: string } };

export async function checkLogs(cluster: Cluster, api: ApiClient): Promise<void> {
  const id = `logs-${crypto.randomUUID()}`;
  await api.GET("/v1/admin/queues", { headers: { "x-request-id": id } });
  const lines = await until(
    async () => {
      const { stdout } = await cluster.run(["./scripts/task", "logs", "--", "--request-id", id, "--json"]);
      const found = stdout.split("\n").filter(Boolean);
      return found.length < 2 ? undefined : found.map((line) => JSON.parse(line) as Line);
    },
    { what: `the lines of request ${id}` },
  );
  const fields = expect.objectContaining({ request_id: id, path: "/v1/admin/queues" });
  expect(lines).toHaveLength(2);
  for (const name of [/^api\.api\[\d\]$/, /^nginx\.nginx\[0\]$/])
    expect(lines).toContainEqual(expect.objectContaining({ name: expect.stringMatching(name), fields }));
}
