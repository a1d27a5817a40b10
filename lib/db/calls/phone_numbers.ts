import type { PhoneNumber } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

/** Gives a number to a business; "taken" where another business has it. */
export function assignPhoneNumber(scope: BusinessScope, number: string): Promise<"assigned" | "taken"> {
  return scope.run(async (sql) => {
    const inserted = await sql`
      insert into phone_numbers (number, business_id)
      select ${number}, id from businesses where id = ${scope.businessId} and deleted_at is null
      on conflict (number) do nothing`;
    if (inserted.count === 1) return "assigned";
    const [own] = await sql`select from phone_numbers where number = ${number} and business_id = ${scope.businessId}`;
    return own ? "assigned" : "taken";
  });
}

/** Takes a number from a business; false where it had it not. */
export async function releasePhoneNumber(scope: BusinessScope, number: string): Promise<boolean> {
  const deleted = await scope.run(
    (sql) => sql`delete from phone_numbers where number = ${number} and business_id = ${scope.businessId}`,
  );
  return deleted.count === 1;
}

export function listPhoneNumbers(scope: BusinessScope): Promise<PhoneNumber[]> {
  return scope.run(
    (sql) => sql<PhoneNumber[]>`select * from phone_numbers where business_id = ${scope.businessId} order by number`,
  );
}
