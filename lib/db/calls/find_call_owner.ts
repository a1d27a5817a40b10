import type { PlatformScope } from "../scope.ts";

/** The business of a call that has ended; undefined where there is no such call. */
export async function findCallOwner(scope: PlatformScope, callSid: string): Promise<string | undefined> {
  const [row] = await scope.run(
    (sql) => sql<{ business_id: string }[]>`select business_id from calls where call_sid = ${callSid}`,
  );
  return row?.business_id;
}
