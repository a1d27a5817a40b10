import { readFileSync } from "node:fs";

/* Loaded before a service (`bun run --preload`): its clock is wrong by as many ms as the file CLOCK_FILE says, and steps when that changes. */

const file = process.env["CLOCK_FILE"] ?? "/dev/null";
const RightDate = Date;
const rightNow = Date.now;
let skewMs = read();

class SteppingDate extends RightDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(rightNow() + skewMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return rightNow() + skewMs;
  }
}

globalThis.Date = SteppingDate as DateConstructor;
setInterval(() => (skewMs = read()), 100).unref();

function read(): number {
  try {
    return Number(readFileSync(file, "utf8")) || 0;
  } catch {
    return 0;
  }
}
