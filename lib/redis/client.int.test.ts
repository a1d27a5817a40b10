import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { openFrontDoor } from "../testing/front_door.ts";
import type { FrontDoor } from "../testing/front_door.ts";
import { testRedisUrl } from "../testing/servers.ts";
import { until } from "../testing/until.ts";
import { createRedis } from "./client.ts";

let door: FrontDoor;
let behindDoor: string;
beforeEach(async () => {
  door = await openFrontDoor();
  const url = new URL(testRedisUrl());
  door.lead([Number(url.port)]);
  url.port = String(door.port);
  behindDoor = url.toString();
});
afterEach(() => door.close());

describe("a connection whose server vanished", () => {
  test.each(["command", "gate"] as const)("is replaced (%s)", async (role) => {
    const redis = createRedis(behindDoor, role);
    await until(() => redis.ping().catch(() => false), { what: "the first answer" });
    door.freeze();
    await expect(redis.ping()).rejects.toThrow("Command timed out");
    await until(() => redis.ping().catch(() => false), { what: "an answer over a new connection" });
    redis.disconnect();
  });
});
