import { describe, expect, test } from "bun:test";
import { uuidv7 } from "../../../../lib/core/ids.ts";
import { until } from "../../../../lib/testing/until.ts";
import { PasskeyLink } from "../../testing/passkey_link.ts";
import { kill, processScenario } from "../../testing/shard_process.ts";
import { newPhone } from "../../testing/shard_under_test.ts";

const scenario = processScenario();

function launchLink() {
  const target = { simulator: scenario.simulator, shard: scenario.launch(), business: uuidv7(), phone: newPhone() };
  return { target, link: new PasskeyLink(() => target) };
}

describe("a shard that is killed amid a link with a passkey", () => {
  test.each(["assertion", "phone", "confirmed"])("links with the next process: killed at %s", async (at) => {
    const { target, link } = launchLink();
    await link.require();
    await link.scan();
    const passkey = await link.reaches("assertion");
    if (at !== "assertion") await link.approve(passkey);
    if (at === "confirmed") await until(async () => (await link.onPhone()).step === "linked", { everyMs: 1 });
    await kill(target.shard);
    target.shard = scenario.launch();
    const { shard, business, phone } = target;
    await until(async () => (await shard.request("GET", "/health")).ok, { what: "the next process" });
    // The phone may have linked in the last moment: then the login is on the volume.
    if (!(await shard.view(business)).paired) {
      await link.scan();
      await link.approve(await link.reaches("assertion"));
    }
    expect(await shard.reaches(business, "open")).toMatchObject({ phone });
  });

  test("has logged no secret", async () => {
    const { target, link } = launchLink();
    await link.require();
    await link.scan();
    const passkey = await link.reaches("assertion");
    const assertion = link.authenticator.assert(passkey.options!);
    await link.answer("assertion", assertion);
    await target.shard.reaches(target.business, "open");
    const { code } = await link.onPhone();
    target.shard.process.kill("SIGTERM");
    await target.shard.exited;
    const log = target.shard.log();
    expect(log).toContain("passkey");
    for (const secret of [passkey.options!.challenge, assertion.response.signature, assertion.id, code!])
      expect(log).not.toContain(secret);
  });
});
