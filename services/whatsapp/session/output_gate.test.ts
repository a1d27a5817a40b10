import { describe, expect, test } from "bun:test";
import { OutputGate } from "./output_gate.ts";

const frame = (n: number) => Uint8Array.of(n);

function gateUnderTest() {
  const left: number[] = [];
  const refused: unknown[] = [];
  const gate = new OutputGate(
    (data, callback) => {
      left.push(data[0]!);
      callback?.();
    },
    (error) => void refused.push(error),
  );
  return { gate, left, refused };
}

describe("the output gate", () => {
  test("holds frames until earlier data is durable, in order", async () => {
    const { gate, left } = gateUnderTest();
    const [first, second] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    gate.send(frame(1));
    gate.after(first.promise);
    gate.send(frame(2));
    gate.after(second.promise);
    gate.send(frame(3));
    second.resolve();
    await Bun.sleep(1);
    expect(left).toEqual([1]);
    first.resolve();
    await Bun.sleep(1);
    expect(left).toEqual([1, 2, 3]);
    gate.send(frame(4));
    expect(left).toEqual([1, 2, 3, 4]);
  });

  test("does not block the sender of a held frame", async () => {
    const { gate } = gateUnderTest();
    gate.after(new Promise(() => {}));
    await new Promise<void>((resolve) => gate.send(frame(1), () => resolve()));
  });

  test("drops held frames when the disk fails", async () => {
    const { gate, left, refused } = gateUnderTest();
    gate.after(Promise.reject(new Error("disk full")));
    gate.send(frame(1));
    await Bun.sleep(1);
    expect(left).toEqual([]);
    expect(refused).toEqual([new Error("disk full")]);
    const error = await new Promise((resolve) => gate.send(frame(2), resolve));
    expect(error).toBeInstanceOf(Error);
    expect(left).toEqual([]);
  });

  test("does not hold frames for data that came later", async () => {
    const { gate, left } = gateUnderTest();
    const first = Promise.withResolvers<void>();
    gate.after(first.promise);
    gate.send(frame(1));
    gate.after(new Promise(() => {}));
    gate.send(frame(2));
    first.resolve();
    await Bun.sleep(1);
    expect(left).toEqual([1]);
  });

  test("reports when earlier frames have left or never will", async () => {
    const { gate, left } = gateUnderTest();
    await gate.passed();
    const durable = Promise.withResolvers<void>();
    gate.after(durable.promise);
    gate.send(frame(1));
    const passed = gate.passed().then(() => [...left]);
    durable.resolve();
    expect(await passed).toEqual([1]);
    gate.after(Promise.reject(new Error("disk full")));
    await gate.passed();
  });
});
