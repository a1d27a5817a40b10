import { describe, expect, test } from "bun:test";
import { deployStages } from "./deploy_stages.ts";
import { serviceStages } from "./jobs.ts";

const stageOf = (id: string) => serviceStages.findIndex((stage) => stage.includes(id));

/** Deploys with these jobs running; `failing` does not settle. Returns the steps in order. */
async function deploy(running: readonly string[], failing?: string) {
  const steps: string[] = [];
  const deployed = deployStages(serviceStages, {
    runs: async (id) => running.includes(id),
    register: async (id) => void steps.push(id),
    settle: async (ids) => {
      if (failing !== undefined && ids.includes(failing)) throw new Error(`job ${failing} failed`);
      steps.push(...ids.map((id) => `${id} settled`));
    },
  });
  return { steps, deployed };
}

describe("the stages of a deploy", () => {
  test("have consumers before producers", () => {
    expect(stageOf("workers")).toBeLessThan(stageOf("wa-shards"));
    expect(stageOf("workers")).toBeLessThan(stageOf("calls"));
    expect(stageOf("wa-shards")).toBeLessThan(stageOf("api"));
    expect(stageOf("calls")).toBeLessThan(stageOf("api"));
  });
});

describe("deployStages", () => {
  test("registers shards after the workers have settled", async () => {
    const { steps, deployed } = await deploy(serviceStages.flat());
    await deployed;
    expect(steps.filter((step) => /^(workers|wa-shards|api)/.test(step))).toEqual([
      "workers",
      "workers settled",
      "wa-shards",
      "wa-shards settled",
      "api",
    ]);
  });

  test("leaves shards alone when the workers fail", async () => {
    const { steps, deployed } = await deploy(serviceStages.flat(), "workers");
    await expect(deployed).rejects.toThrow("job workers failed");
    expect(steps).not.toContain("wa-shards");
  });

  test("waits for nothing at a first start", async () => {
    const { steps, deployed } = await deploy([]);
    await deployed;
    expect(steps).toEqual(serviceStages.flat());
  });
});
