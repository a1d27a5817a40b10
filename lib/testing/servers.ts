import { randomBytes } from "node:crypto";
import postgres from "postgres";
import { asRedisUser } from "./redis_users.ts";
import type { RedisUser } from "./redis_users.ts";

function fromEnvironment(name: string): string {
  const value = process.env[name];
  if (!value)
    throw new Error(`${name} is not set: this test needs real servers; run it with ./scripts/test int <pattern>`);
  return value;
}

/** Returns the number of this test process, from 1: `bun test --parallel` numbers its workers. */
const processNumber = () => Number(process.env["BUN_TEST_WORKER_ID"] ?? 1);

/**
 * Returns the URL of this test process's Redis database, which has the process's number. The test server has 64
 * databases. A `user` has the rights of the production job file.
 */
export function testRedisUrl(user?: RedisUser): string {
  const url = new URL(fromEnvironment("TEST_REDIS_URL"));
  url.pathname = `/${processNumber() % 64}`;
  return user === undefined ? url.toString() : asRedisUser(url.toString(), user);
}

/**
 * Returns `host:port` of this test process's Consul agent. The files that a process runs share it, so they delete what
 * they write under names of production.
 */
export function testConsulAddr(): string {
  const addresses = fromEnvironment("TEST_CONSUL_ADDRS").split(",");
  return addresses[(processNumber() - 1) % addresses.length]!;
}

/** Returns the URL of the test server's own database, as its superuser. */
export function testServerUrl(): string {
  return fromEnvironment("TEST_DATABASE_URL");
}

/**
 * Creates a database on the test server: empty, or a copy of `template`. `url` connects as its superuser.
 * Throws if the template does not exist or has open connections.
 */
export async function createTestDatabase({
  name = `t_${randomBytes(6).toString("hex")}`,
  template = "template1",
} = {}): Promise<{ url: string; name: string; drop(): Promise<void> }> {
  const server = new URL(testServerUrl());
  const execute = async (statement: string) => {
    const sql = postgres(server.toString(), { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  // Copies files, which takes half of the CPU time of writing every page to the log.
  await execute(`create database ${name} template ${template} strategy file_copy`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return { url: url.toString(), name, drop: () => execute(`drop database ${name} with (force)`) };
}

/** Returns a unique name for a key, service or queue on a shared server. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomBytes(6).toString("hex")}`;
}
