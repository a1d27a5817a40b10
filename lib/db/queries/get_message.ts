import type { Message } from "../schema/index.ts";
import type { BusinessScope } from "../scope.ts";

export async function getMessage(scope: BusinessScope, id: string): Promise<Message | undefined> {
  const [message] = await scope.run((sql) => sql<Message[]>`select * from messages where id = ${id} and business_id = ${scope.businessId}`);
  return message;
}
