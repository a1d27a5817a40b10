import { beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { root } from "../../environment.ts";
import { consulKeys } from "./consul.ts";
import { measureTable } from "./measure.ts";
import { tableFile, tableText } from "./render.ts";
import type { Section } from "./row.ts";
import { jobPolicyNames, policyNames, readJobs, rolePolicies } from "./subjects.ts";
import type { JobAccess } from "./subjects.ts";

let sections: Record<string, Section>;
let jobs: JobAccess[];

beforeAll(async () => {
  const [measured, read] = await Promise.all([measureTable(), readJobs()]);
  sections = Object.fromEntries(measured.map((section) => [section.title, section]));
  jobs = read;
});

const jobRows = () => {
  const roles = new Set(rolePolicies.consul);
  return sections["Consul"]!.rows.filter(({ token }) => jobs.some(({ job }) => job === token) && !roles.has(token));
};

describe("the table of access", () => {
  test("is the one in TABLE.md", async () => {
    // A difference is wanted: ./scripts/task access:table -- --write, and read the changes.
    expect(tableText(Object.values(sections))).toBe(await Bun.file(tableFile).text());
  });

  test("has each policy under a job or role", async () => {
    const users = jobs.filter(({ usesConsul }) => usesConsul).map(({ job }) => job);
    expect([...users, ...rolePolicies.consul].toSorted()).toEqual((await policyNames("consul")).toSorted());
    expect([...rolePolicies.nomad].toSorted()).toEqual((await policyNames("nomad")).toSorted());
    const names = new Set(jobs.map(({ job }) => job));
    expect((await jobPolicyNames()).filter((name) => !names.has(name))).toEqual([]);
  });

  test("has a key of each kind that code names", async () => {
    const paths = await Array.fromAsync(new Bun.Glob("{lib,services,scripts}/**/*.ts").scan({ cwd: root }));
    const sources = await Promise.all(paths.map((path) => Bun.file(join(root, path)).text()));
    const named = sources.flatMap((text) => [...text.matchAll(/Key\w* = "(prosaas\/[\w/]+)"/g)].map(([, key]) => key!));
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((key) => !consulKeys.some((known) => known.startsWith(key)))).toEqual([]);
  });

  test("lets no job register services or read tokens", () => {
    expect(jobRows().length).toBeGreaterThan(5);
    for (const { token, allowed } of jobRows()) {
      expect([token, allowed["registers services"]]).toEqual([token, []]);
      const more = allowed["may also"]!.filter((right) => right !== "list nodes");
      expect([token, more]).toEqual([token, token === "autoscaler" ? ["hold locks"] : []]);
    }
  });

  test("lets two jobs write keys", () => {
    const writing = jobRows().flatMap(({ token, allowed }) => allowed["writes keys"]!.map((key) => `${token}: ${key}`));
    expect(writing).toEqual(["api: calls/max_concurrent", "autoscaler: scale/lock", "autoscaler: autoscaler/lock"]);
  });

  test("lets a shard take no lock but its own", () => {
    const { allowed } = sections["Consul"]!.rows.find(({ token }) => token === "shard 1")!;
    expect(allowed).toMatchObject({
      "writes keys": ["whatsapp/shards/1/owner"],
      "sees services": [],
      "registers services": [],
      "may also": ["hold locks"],
    });
  });

  test("lets a service register under its own name", () => {
    const row = sections["Consul"]!.rows.find(({ token }) => token.startsWith("service "))!;
    expect(row.allowed["registers services"]).toEqual([row.token.replace("service ", "")]);
    expect(row.allowed["writes keys"]).toEqual([]);
  });

  test("shows secrets to operators alone", () => {
    const readers = sections["Nomad"]!.rows.filter(({ allowed }) =>
      allowed["may"]!.some((right) => /secrets/.test(right)),
    );
    expect(readers.map(({ token }) => token)).toEqual(["operator"]);
  });

  test.each(["no token", "a web page, without a token"])("allows nothing to %s", (name) => {
    for (const { rows } of [sections["Nomad"]!, sections["Consul"]!]) {
      const row = rows.find(({ token }) => token === name);
      for (const [column, names] of Object.entries(row?.allowed ?? {})) expect([column, names]).toEqual([column, []]);
    }
  });

  test("lets a shard only enqueue", () => {
    const { allowed } = sections["Redis"]!.rows.find(({ token }) => token === "shards")!;
    expect(allowed).toEqual({
      "enqueues in": ["high", "default", "receipts"],
      "takes jobs of": [],
      reads: [],
      changes: [],
      "may also": [],
    });
  });
});
