import type { PlatformScope } from "../scope.ts";

/** A telephone number with the call settings of its business. */
export type Line = {
  number: string;
  business_id: string;
  max_concurrent: number | null;
  allowed_destinations: string[] | null;
  max_per_day: number | null;
  record: boolean;
  consent_line: string | null;
};

/** Finds the line of a number and whether the call has ended; `line` is undefined for an unassigned number. */
export async function findLine(
  scope: PlatformScope,
  { number, callSid }: { number: string; callSid: string },
): Promise<{ line: Line | undefined; ended: boolean }> {
  const [row] = await scope.run(
    (sql) => sql<[{ line: Line | null; ended: boolean }]>`
      select exists (select from calls where call_sid = ${callSid}) as ended, (
        select jsonb_build_object('number', p.number, 'business_id', p.business_id, 'max_concurrent', s.max_concurrent,
                                  'allowed_destinations', s.allowed_destinations, 'max_per_day', s.max_per_day,
                                  'record', coalesce(s.record, false), 'consent_line', s.consent_line)
        from phone_numbers p
        join businesses b on b.id = p.business_id and b.deleted_at is null
        left join call_settings s on s.business_id = p.business_id
        where p.number = ${number}
      ) as line`,
  );
  return { line: row.line ?? undefined, ended: row.ended };
}
