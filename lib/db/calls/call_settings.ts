import { eq } from "drizzle-orm";
import { fetchRows, now, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { callSettings } from "./schema.ts";
import type { CallSettings } from "./schema.ts";

type Limits = Pick<CallSettings, "max_concurrent" | "allowed_destinations" | "max_per_day">;
export type CallSettingsInput = Limits & Pick<CallSettings, "record" | "consent_line">;
/** An omitted limit keeps its value. */
export type CallSettingsChange = Partial<Limits> & Pick<CallSettings, "record" | "consent_line">;

/** The call settings of a business; undefined if it never set any. */
export async function getCallSettings(scope: BusinessScope): Promise<CallSettings | undefined> {
  const [settings] = await fetchRows(
    scope,
    query.select().from(callSettings).where(eq(callSettings.business_id, scope.businessId)),
  );
  return settings;
}

/** Replaces the call settings. Throws if calls are to be recorded without a consent line. */
export async function putCallSettings(scope: BusinessScope, settings: CallSettingsChange): Promise<CallSettings> {
  const { max_concurrent, allowed_destinations, max_per_day, record, consent_line } = settings;
  const values = { max_concurrent, allowed_destinations, max_per_day, record, consent_line };
  const [row] = await fetchRows(
    scope,
    query
      .insert(callSettings)
      .values({ business_id: scope.businessId, ...values })
      // An undefined value is not updated.
      .onConflictDoUpdate({ target: callSettings.business_id, set: { ...values, updated_at: now } })
      .returning(),
  );
  return row!;
}
