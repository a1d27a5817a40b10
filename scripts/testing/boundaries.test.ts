import { describe, expect, test } from "bun:test";
import { faultOf } from "./boundaries.ts";

describe("boundaries", () => {
  test("lib folders import only from lower layers", () => {
    expect(faultOf("lib/routing/router.ts", "lib/consul/client.ts")).toBeNull();
    expect(faultOf("lib/routing/router.ts", "lib/routing/directory.ts")).toBeNull();
    expect(faultOf("lib/consul/client.ts", "lib/routing/router.ts")).toContain("not in a lower layer");
    expect(faultOf("lib/consul/client.ts", "lib/redis/client.ts")).toContain("not in a lower layer");
    expect(faultOf("lib/core/ids.ts", "lib/runtime/log.ts")).toContain("not in a lower layer");
    expect(faultOf("lib/unheard-of/a.ts", "lib/core/ids.ts")).toContain("has no layer");
  });

  test("services import only lib and themselves", () => {
    expect(faultOf("services/api/app.ts", "lib/db/index.ts")).toBeNull();
    expect(faultOf("services/api/app.ts", "services/api/features/messages/submit.ts")).toBeNull();
    expect(faultOf("services/api/app.ts", "services/workers/sending/outbox.ts")).toContain("never import each other");
    expect(faultOf("services/api/app.ts", "scripts/lab/rig/platform.ts")).toContain("only scripts");
    expect(faultOf("lib/db/index.ts", "services/api/app.ts")).toContain("lib knows no service");
  });

  test("features of the API import no routes of another", () => {
    const from = "services/api/features/media/routes.ts";
    const recipients = "services/api/features/broadcasts/recipient_routes.ts";
    expect(faultOf(from, "services/api/features/messages/routes.ts")).toContain("never imports another's routes");
    expect(faultOf(from, recipients)).toContain("never imports another's routes");
    expect(faultOf(from, "services/api/features/media/file_routes.ts")).toBeNull();
    expect(faultOf(from, "services/api/features/messages/submit.ts")).toBeNull();
    expect(faultOf("services/api/app.ts", recipients)).toBeNull();
  });

  test("only tests and scripts import test code", () => {
    expect(faultOf("services/api/app.ts", "lib/testing/until.ts")).toContain("only tests");
    expect(faultOf("services/api/app.ts", "services/api/testing/harness.ts")).toContain("only tests");
    expect(faultOf("services/api/app.int.test.ts", "lib/testing/until.ts")).toBeNull();
    expect(faultOf("services/calls/testing/stack.ts", "services/simulator/carrier/carrier.ts")).toBeNull();
    expect(faultOf("scripts/cli/scale/calls.ts", "services/calls/call_limit.ts")).toBeNull();
  });
});
