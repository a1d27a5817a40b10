import { afterAll, beforeAll, beforeEach } from "bun:test";
import { forPlatform } from "../db/index.ts";
import type { BusinessScope, PlatformScope } from "../db/index.ts";
import { createBusiness } from "./business.ts";
import { createMigratedDatabase } from "./database.ts";
import type { MigratedDatabase } from "./database.ts";

/** A database for the tests of a file, with a business of each test. */
export function useBusiness() {
  let database: MigratedDatabase;
  let platform: PlatformScope;
  let scope: BusinessScope;
  beforeAll(async () => {
    database = await createMigratedDatabase();
    platform = forPlatform(database.db);
  });
  beforeEach(async () => {
    scope = await createBusiness(database.db);
  });
  afterAll(() => database.close());
  return { database: () => database, platform: () => platform, scope: () => scope };
}
