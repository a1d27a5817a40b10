import { sql } from "../client/literal.ts";
import type { Message } from "../schema.ts";
import type { BusinessScope } from "../scope.ts";

export async function getMessage(scope: BusinessScope, id: string): Promise<Message | undefined> {
  const [message] = await scope.ask<Message[]>(
    sql`select * from messages where id = ${id} and business_id = ${scope.businessId}`,
  );
  return message;
}
