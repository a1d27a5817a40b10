import { expect, test } from "bun:test";
import { beforeMigration } from "../../testing/before_migration.ts";

const database = beforeMigration("0029_checked_opt_outs");

test("migration 0029_checked_opt_outs spares earlier opt-outs the check", async () => {
  const { sql, business } = database;
  const insert = (chat: string) => sql`insert into opt_outs (business_id, chat) values (${business}, ${chat})`;
  await insert("15550000001@s.whatsapp.net");
  await database.apply();
  await insert("15550000002@s.whatsapp.net");
  const rows = await sql`select chat from opt_outs where business_id = ${business} and checked_at is null`;
  expect(rows.map(({ chat }) => chat)).toEqual(["15550000002@s.whatsapp.net"]);
});
