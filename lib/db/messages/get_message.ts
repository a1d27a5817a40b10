import { and, eq } from "drizzle-orm";
import { prepared, query } from "../query.ts";
import type { BusinessScope } from "../scope.ts";
import { messages } from "./schema.ts";
import type { Message } from "./schema.ts";

const findById = prepared(["id", "business_id"], ({ id, business_id }) =>
  query
    .select()
    .from(messages)
    .where(and(eq(messages.id, id), eq(messages.business_id, business_id))),
);

export async function getMessage(scope: BusinessScope, id: string): Promise<Message | undefined> {
  const [message] = await findById(scope, { id, business_id: scope.businessId });
  return message;
}
