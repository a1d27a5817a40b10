import { sql } from "../client/literal.ts";
import type { BusinessScope } from "../scope.ts";
import type { Message } from "./schema.ts";

/** Calls a database function, which keeps the plan: this is the API's most frequent read. */
export async function getMessage(scope: BusinessScope, id: string): Promise<Message | undefined> {
  const [message] = await scope.ask<Message[]>(sql`select * from get_message(${id}, ${scope.businessId})`);
  return message;
}
