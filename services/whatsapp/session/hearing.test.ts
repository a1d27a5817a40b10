import { expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { Hearing } from "./hearing.ts";

function hearingUnderTest(onProbe: (hearing: Hearing) => void, idleMs = 10) {
  const seen = { probes: 0, deaf: [] as boolean[] };
  const hearing: Hearing = new Hearing({
    idleMs,
    answerMs: 10,
    probe: async () => {
      seen.probes += 1;
      onProbe(hearing);
    },
    onDeaf: (heard) => void seen.deaf.push(heard),
  });
  return { hearing, seen };
}

test("a connection that answers its probes is left alone", async () => {
  const { hearing, seen } = hearingUnderTest((hearing) => hearing.heard());
  hearing.start();
  await until(() => seen.probes >= 3, { everyMs: 1 });
  hearing.stop();
  expect(seen.deaf).toEqual([]);
});

test("one that answers none is deaf, and it is said once whether it ever heard anything", async () => {
  const first = hearingUnderTest(() => {});
  first.hearing.start();
  await until(() => first.seen.deaf.length === 1, { everyMs: 1 });
  expect(first.seen).toEqual({ probes: 1, deaf: [false] });

  const later = hearingUnderTest(() => {});
  later.hearing.start();
  later.hearing.heard();
  await until(() => later.seen.deaf.length === 1, { everyMs: 1 });
  expect(later.seen.deaf).toEqual([true]);
});

test("while there is traffic no probe is sent", async () => {
  // Long enough for the pauses of a busy machine.
  const { hearing, seen } = hearingUnderTest(() => {}, 400);
  hearing.start();
  const end = performance.now() + 800;
  await until(
    () => {
      hearing.heard();
      return performance.now() > end;
    },
    { everyMs: 1 },
  );
  hearing.stop();
  expect(seen.probes).toBe(0);
});

test("one that is stopped says nothing", async () => {
  const { hearing, seen } = hearingUnderTest(() => {});
  hearing.start();
  await until(() => seen.probes === 1, { everyMs: 1 });
  hearing.stop();
  const end = performance.now() + 30;
  await until(() => performance.now() > end);
  expect(seen.deaf).toEqual([]);
});
