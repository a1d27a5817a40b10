import { and, eq } from "drizzle-orm";
import { sql } from "../client/literal.ts";
import { execute, fetchRows, query } from "../query.ts";
import { atomically } from "../scope.ts";
import type { BusinessScope } from "../scope.ts";
import { phoneNumbers } from "./schema.ts";
import type { PhoneNumber } from "./schema.ts";

const ownNumber = (scope: BusinessScope, number: string) =>
  and(eq(phoneNumbers.number, number), eq(phoneNumbers.business_id, scope.businessId));

/** Assigns a number to a business; "taken" if another business has it. */
export function assignPhoneNumber(scope: BusinessScope, number: string): Promise<"assigned" | "taken"> {
  return atomically(scope, async (inner) => {
    // Hand-written SQL: inserts only if the business still exists, in one statement.
    const inserted = await inner.ask(sql`
      insert into phone_numbers (number, business_id)
      select ${number}, id from businesses where id = ${scope.businessId} and deleted_at is null
      on conflict (number) do nothing`);
    if (inserted.count === 1) return "assigned";
    const [own] = await fetchRows(inner, query.select().from(phoneNumbers).where(ownNumber(scope, number)));
    return own ? "assigned" : "taken";
  });
}

/** Releases a number of a business; false if the business does not have it. */
export async function releasePhoneNumber(scope: BusinessScope, number: string): Promise<boolean> {
  return (await execute(scope, query.delete(phoneNumbers).where(ownNumber(scope, number)))) === 1;
}

export function listPhoneNumbers(scope: BusinessScope): Promise<PhoneNumber[]> {
  return fetchRows(
    scope,
    query
      .select()
      .from(phoneNumbers)
      .where(eq(phoneNumbers.business_id, scope.businessId))
      .orderBy(phoneNumbers.number),
  );
}
