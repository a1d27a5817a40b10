/* Skews the clock of a service by CLOCK_SKEW_MS: load it with `bun run --preload`. */

const skewMs = Number(process.env["CLOCK_SKEW_MS"] ?? 0);
const RightDate = Date;
const rightNow = Date.now;

class WrongDate extends RightDate {
  constructor(...given: unknown[]) {
    if (given.length === 0) super(rightNow() + skewMs);
    else super(...(given as [number]));
  }

  static override now(): number {
    return rightNow() + skewMs;
  }
}

globalThis.Date = WrongDate as DateConstructor;
