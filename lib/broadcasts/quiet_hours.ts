/** From and to are times of day, "HH:MM", in the zone. From later than to is a night; the same is no quiet at all. */
export type QuietHours = { from: string; to: string; timeZone: string };

/** When the quiet that holds at `now` ends; null where it does not hold. */
export function quietUntil({ from, to, timeZone }: QuietHours, now: Date): Date | null {
  const local = Temporal.Instant.fromEpochMilliseconds(now.getTime()).toZonedDateTimeISO(timeZone);
  const [start, end] = [Temporal.PlainTime.from(from), Temporal.PlainTime.from(to)];
  const time = local.toPlainTime();
  const before = (a: Temporal.PlainTime, b: Temporal.PlainTime) => Temporal.PlainTime.compare(a, b) < 0;
  const overnight = before(end, start);
  const quiet = overnight ? !before(time, start) || before(time, end) : !before(time, start) && before(time, end);
  if (!quiet) return null;
  const day = before(time, end) ? local.toPlainDate() : local.toPlainDate().add({ days: 1 });
  return new Date(day.toZonedDateTime({ timeZone, plainTime: end }).epochMilliseconds);
}

/** The moment of a local time, "YYYY-MM-DDTHH:MM". One that a change of clocks leaves out is an hour later. */
export function momentOf(local: string, timeZone: string): Date {
  return new Date(Temporal.PlainDateTime.from(local).toZonedDateTime(timeZone).epochMilliseconds);
}
