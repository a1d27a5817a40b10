import { expect, test } from "bun:test";
import { freePort } from "./free_port.ts";

test("gives a port to one process only", async () => {
  const own = await Promise.all(Array.from({ length: 200 }, freePort));
  const script = `
    import { freePort } from "${import.meta.dir}/free_port.ts";
    console.log(JSON.stringify(await Promise.all(Array.from({ length: 200 }, freePort))));`;
  const { stdout, exitCode } = Bun.spawnSync([process.execPath, "-e", script]);
  expect(exitCode).toBe(0);
  const others = JSON.parse(stdout.toString()) as number[];
  expect(new Set([...own, ...others]).size).toBe(400);
});
