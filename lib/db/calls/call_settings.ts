import type { CallSettings } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

type Limits = Pick<CallSettings, "max_concurrent" | "allowed_destinations" | "max_per_day">;
export type CallSettingsInput = Limits & Pick<CallSettings, "record" | "consent_line">;
/** A limit that is left out keeps its value. */
export type CallSettingsChange = Partial<Limits> & Pick<CallSettings, "record" | "consent_line">;

/** What a business wants done with its calls; undefined where it never said. */
export async function getCallSettings(scope: BusinessScope): Promise<CallSettings | undefined> {
  const [settings] = await scope.run(
    (sql) => sql<CallSettings[]>`select * from call_settings where business_id = ${scope.businessId}`,
  );
  return settings;
}

/** Throws where calls are to be recorded without a consent line. */
export async function putCallSettings(scope: BusinessScope, settings: CallSettingsChange): Promise<CallSettings> {
  const { max_concurrent, allowed_destinations, max_per_day, record, consent_line } = settings;
  const [row] = await scope.run(
    (sql) => sql<[CallSettings]>`
      insert into call_settings (business_id, max_concurrent, allowed_destinations, max_per_day, record, consent_line)
      values (${scope.businessId}, ${max_concurrent ?? null}, ${allowed_destinations ?? null}::text[], ${max_per_day ?? null},
              ${record}, ${consent_line})
      on conflict (business_id) do update
        set max_concurrent = case when ${max_concurrent !== undefined} then excluded.max_concurrent
                                  else call_settings.max_concurrent end,
            allowed_destinations = case when ${allowed_destinations !== undefined} then excluded.allowed_destinations
                                        else call_settings.allowed_destinations end,
            max_per_day = case when ${max_per_day !== undefined} then excluded.max_per_day
                               else call_settings.max_per_day end,
            record = excluded.record, consent_line = excluded.consent_line, updated_at = now()
      returning *`,
  );
  return row;
}
