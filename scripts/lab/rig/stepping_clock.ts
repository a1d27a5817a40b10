import { readFileSync } from "node:fs";

/* Preloaded into a service: skews its clock by the milliseconds in the file CLOCK_FILE, also when they change. */

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
