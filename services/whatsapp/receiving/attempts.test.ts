import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Attempts } from "./attempts.ts";

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "attempts-"));
  path = join(folder, "attempts.map");
});
afterEach(() => rmSync(folder, { recursive: true }));

const key = (content: string) => Attempts.key("business", Buffer.from(content));

/** A process that is killed while it handles content. */
const diesWith = async (...contents: string[]) => {
  const script = `
    const { Attempts } = await import(${JSON.stringify(join(import.meta.dir, "attempts.ts"))});
    const attempts = Attempts.open(${JSON.stringify(path)});
    for (const content of ${JSON.stringify(contents)})
      await attempts.begin(Attempts.key("business", Buffer.from(content)));
    process.kill(process.pid, "SIGKILL");
  `;
  const child = Bun.spawn([process.execPath, "-e", script], { stdout: "ignore", stderr: "inherit" });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
};

describe("content in flight", () => {
  test("at two deaths of the process is quarantined", async () => {
    await diesWith("poison");
    expect(Attempts.open(path).isQuarantined(key("poison"))).toBeFalse();
    await diesWith("poison");
    const attempts = Attempts.open(path);
    expect(attempts.isQuarantined(key("poison"))).toBeTrue();
    expect(attempts.isQuarantined(key("another"))).toBeFalse();
    expect(Attempts.open(path).isQuarantined(key("poison"))).toBeTrue();
  });

  test("is cleared when the process survives it", async () => {
    const survive = async () => (await Attempts.open(path).begin(key("harmless"))).end();
    await diesWith("harmless");
    await survive();
    await diesWith("harmless");
    await survive();
    await diesWith("harmless");
    expect(Attempts.open(path).isQuarantined(key("harmless"))).toBeFalse();
  });

  test("suspected with the culprit is handled alone", async () => {
    await diesWith("culprit", "bystander");
    const attempts = Attempts.open(path);
    const order: string[] = [];
    const first = await attempts.begin(key("bystander"));
    const second = attempts.begin(key("culprit")).then((attempt) => {
      order.push("culprit begins");
      return attempt;
    });
    const fresh = await attempts.begin(key("fresh"));
    fresh.end();
    order.push("bystander ends");
    first.end();
    (await second).end();
    expect(order).toEqual(["bystander ends", "culprit begins"]);
  });

  test("has a record of its own for each copy", async () => {
    await diesWith("twice");
    const attempts = Attempts.open(path);
    const first = await attempts.begin(key("twice"));
    const copy = attempts.begin(key("twice"));
    first.end();
    await attempts.begin(key("other"));
    await copy;
    // Opened again without an end of either, as after a death: each is known.
    for (const content of ["other", "twice"]) {
      await Attempts.open(path).begin(key(content));
      expect(Attempts.open(path).isQuarantined(key(content))).toBeTrue();
    }
  });

  test("belongs to its business", () => {
    const content = Buffer.from("same bytes");
    expect(Attempts.key("one", content)).not.toBe(Attempts.key("two", content));
  });
});

describe("the file", () => {
  test("is replaced if damaged", () => {
    writeFileSync(path, "garbage");
    expect(Attempts.open(path).isQuarantined(key("x"))).toBeFalse();
    truncateSync(path, 100);
    expect(Attempts.open(path).isQuarantined(key("x"))).toBeFalse();
  });

  test("is bounded: excess content is handled without record", async () => {
    const attempts = Attempts.open(path);
    const begun = await Promise.all(Array.from({ length: 2_000 }, (_, i) => attempts.begin(key(`${i}`))));
    for (const attempt of begun) attempt.end();
    (await attempts.begin(key("last"))).end();
    // The death of the process with all of them in flight leaves a bounded number of records.
    await Promise.all(Array.from({ length: 2_000 }, (_, i) => attempts.begin(key(`${i}`))));
    const after = Attempts.open(path);
    const again = await Promise.all(Array.from({ length: 400 }, (_, i) => after.begin(key(`new ${i}`))));
    for (const attempt of again) attempt.end();
  });
});
