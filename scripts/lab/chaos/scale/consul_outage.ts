import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { until } from "../../../../lib/testing/until.ts";
import { root } from "../../../stack/environment.ts";
import { runProgram } from "../../../stack/program.ts";
import type { Stage } from "./stage.ts";

export type Outage = {
  /** Messages that WhatsApp accepted and delivered during the outage. */
  sentDuring: number;
  receivedDuring: number;
  /** From Consul's first answer until the directory of every process was refreshed, s. */
  freshS: number;
};

/** Kills Consul with SIGKILL and restores it with ./scripts/up after a while. */
export async function loseConsul(stage: Stage, awayS: number): Promise<Outage> {
  const urls = await metricsUrls(stage);
  process.kill(Number(await readFile(join(stage.state, "consul.pid"), "utf8")), "SIGKILL");
  const before = await stage.simulator.stats();
  await Bun.sleep(awayS * 1000);
  const after = await stage.simulator.stats();
  const up = bringUp(stage);
  await until(async () => (await (await fetch(`${stage.consul.url}/v1/status/leader`)).text()).length > 4, {
    deadlineMs: 60_000,
    what: "Consul",
  });
  const answeredAt = performance.now();
  const fresh = async (url: string) => {
    const age = /^\S*routing_directory_age_seconds\S* (\S+)$/m.exec(await (await fetch(url)).text())?.[1];
    return age !== undefined && Number(age) * 1000 < performance.now() - answeredAt;
  };
  await until(async () => (await Promise.all(urls.map(fresh))).every(Boolean), {
    deadlineMs: 60_000,
    what: "every directory to be refreshed",
  });
  const freshS = (performance.now() - answeredAt) / 1000;
  await up;
  const grown = (name: string) => (after[name] ?? 0) - (before[name] ?? 0);
  return { sentDuring: grown("messages_accepted"), receivedDuring: grown("messages_delivered"), freshS };
}

/** The metrics of the processes that have a directory. */
async function metricsUrls({ consul }: Stage): Promise<string[]> {
  type Entry = { ServiceAddress: string; ServiceMeta: { ops_port: string } };
  const services = ["prosaas-api", "prosaas-worker-high", "prosaas-worker-default", "prosaas-worker-low"];
  const found = await Promise.all(
    services.map(
      async (name) => (await consul.blockingGet(`/v1/catalog/service/${name}`, { index: 0 })).body as Entry[],
    ),
  );
  return found
    .flat()
    .map(({ ServiceAddress, ServiceMeta }) => `http://${ServiceAddress}:${ServiceMeta.ops_port}/metrics`);
}

async function bringUp({ env }: Stage): Promise<void> {
  const { code, stderr } = await runProgram(["./scripts/up"], { cwd: root, env: { ...process.env, ...env } });
  if (code !== 0) throw new Error(`./scripts/up exited ${code}: ${stderr.slice(-1_000)}`);
}
