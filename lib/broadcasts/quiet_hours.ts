/** From and to are times of day, "HH:MM", in the zone. From later than to is a night; the same is no quiet at all. */
export type QuietHours = { from: string; to: string; timeZone: string };

/**
 * The first moment after `now` at which the quiet hours no longer hold; null where they do not hold at `now`. The wall
 * clock decides, so a clock change can end them early (a skipped hour) or repeat their end (a repeated hour).
 */
export function quietUntil({ from, to, timeZone }: QuietHours, now: Date): Date | null {
  const [start, end] = [Temporal.PlainTime.from(from), Temporal.PlainTime.from(to)];
  let local = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timeZone);
  if (!isQuiet(start, end, local)) return null;
  for (;;) {
    const next = nextEnd(end, local);
    const transition = local.getTimeZoneTransition("next");
    if (transition === null || Temporal.ZonedDateTime.compare(transition, next) >= 0) return dateOf(next);
    // The clock jumps before the end: what it shows afterwards decides.
    if (!isQuiet(start, end, transition)) return dateOf(transition);
    local = transition;
  }
}

function isQuiet(start: Temporal.PlainTime, end: Temporal.PlainTime, local: Temporal.ZonedDateTime): boolean {
  const time = local.toPlainTime();
  if (isBefore(end, start)) return !isBefore(time, start) || isBefore(time, end);
  return !isBefore(time, start) && isBefore(time, end);
}

/** When the clock next shows `end`, strictly after `local`: in a repeated hour that may be its second occurrence. */
function nextEnd(end: Temporal.PlainTime, local: Temporal.ZonedDateTime): Temporal.ZonedDateTime {
  const today = local.toPlainDate();
  const at = (isBefore(local.toPlainTime(), end) ? today : today.add({ days: 1 })).toPlainDateTime(end);
  // "compatible": the first occurrence of a repeated time; a skipped one is moved past the jump.
  const first = at.toZonedDateTime(local.timeZoneId, { disambiguation: "compatible" });
  return Temporal.ZonedDateTime.compare(first, local) > 0
    ? first
    : at.toZonedDateTime(local.timeZoneId, { disambiguation: "later" });
}

function isBefore(a: Temporal.PlainTime, b: Temporal.PlainTime): boolean {
  return Temporal.PlainTime.compare(a, b) < 0;
}

function dateOf(local: Temporal.ZonedDateTime): Date {
  return new Date(local.epochMilliseconds);
}

/** The moment of a local time, "YYYY-MM-DDTHH:MM". One that a change of clocks leaves out is an hour later. */
export function momentOf(local: string, timeZone: string): Date {
  return new Date(Temporal.PlainDateTime.from(local).toZonedDateTime(timeZone).epochMilliseconds);
}
