import type { CallSettings } from "../../schema/index.ts";
import type { BusinessScope } from "../../scope.ts";

export type CallSettingsInput = Pick<CallSettings, "max_concurrent" | "record" | "consent_line">;
/** A limit that is left out stays as it is. */
export type CallSettingsChange = Omit<CallSettingsInput, "max_concurrent"> & { max_concurrent?: number | null | undefined };

/** What a business wants done with its calls; undefined where it never said. */
export async function getCallSettings(scope: BusinessScope): Promise<CallSettings | undefined> {
  const [settings] = await scope.run((sql) => sql<CallSettings[]>`select * from call_settings where business_id = ${scope.businessId}`);
  return settings;
}

/** Throws where calls are to be recorded without a consent line. */
export async function putCallSettings(scope: BusinessScope, settings: CallSettingsChange): Promise<CallSettings> {
  const { max_concurrent, record, consent_line } = settings;
  const limited = max_concurrent !== undefined;
  const [row] = await scope.run(
    (sql) => sql<[CallSettings]>`
      insert into call_settings (business_id, max_concurrent, record, consent_line)
      values (${scope.businessId}, ${max_concurrent ?? null}, ${record}, ${consent_line})
      on conflict (business_id) do update
        set max_concurrent = case when ${limited} then excluded.max_concurrent else call_settings.max_concurrent end,
            record = excluded.record, consent_line = excluded.consent_line, updated_at = now()
      returning *`,
  );
  return row;
}
