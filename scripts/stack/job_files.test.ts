import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { root } from "./environment.ts";

// -hcl2-strict=false lets all jobs share one file of values, and lets a misspelt name pass: this test does not.

const read = (path: string) => Bun.file(join(root, path)).text();
const jobs = await Promise.all([...new Bun.Glob("nomad/*/*.nomad.hcl").scanSync({ cwd: root })].map(read));

/** Each `variable` block by its name: the same name must mean the same thing in every job. */
const declarations = jobs.flatMap((text) =>
  [...text.matchAll(/^variable "(\w+)" \{\n(.*?)^\}/gms)].map(([, name, body]) => ({ name: name!, body: body! })),
);
const declared = new Set(declarations.map(({ name }) => name));

test("every value of an environment is declared by a job", async () => {
  for (const path of new Bun.Glob("nomad/env/*.vars.hcl").scanSync({ cwd: root })) {
    const given = [...(await read(path)).matchAll(/^(\w+) *=/gm)].map(([, name]) => name!);
    expect({ path, undeclared: given.filter((name) => !declared.has(name)) }).toEqual({ path, undeclared: [] });
  }
});

test("every value that scripts/up writes is declared by a job", async () => {
  const [, written] = (await read("scripts/lib/stack.sh")).match(/stack\.vars\.hcl <<HCL\n(.*?)^HCL$/ms) ?? [];
  const names = [...written!.matchAll(/^(\w+) *=/gm)].map(([, name]) => name!);
  expect(names.length).toBeGreaterThan(10);
  expect(names.filter((name) => !declared.has(name))).toEqual([]);
});

test("a variable that several jobs have is the same in all of them", () => {
  const bodies = new Map<string, Set<string>>();
  for (const { name, body } of declarations) bodies.set(name, (bodies.get(name) ?? new Set()).add(body));
  const differing = [...bodies].filter(([, variants]) => variants.size > 1).map(([name]) => name);
  // The shards' own count has bounds; to others it is only the first value of a key in Consul.
  expect(differing.filter((name) => name !== "wa_shards_count")).toEqual([]);
});

describe("operational ports", () => {
  const services = jobs.filter((text) => text.includes("services/") && text.includes("service {"));

  test("are what the checks of every service of ours ask", () => {
    // nginx has none: it answers its check itself.
    const own = services.filter((text) => !/^job "nginx"/m.test(text));
    expect(own.length).toBeGreaterThanOrEqual(6);
    for (const text of own) {
      const [name] = /^job "[^"]+"/m.exec(text) ?? [];
      const checks = [...text.matchAll(/^ *check \{\n(?: +\w+ += .*\n)*/gm)]
        .map(([block]) => block)
        .filter((block) => block.includes('type     = "http"'));
      const elsewhere = checks.filter((block) => !block.includes('port     = "ops"'));
      expect({ name, checks: checks.length > 0, elsewhere }).toEqual({ name, checks: true, elsewhere: [] });
      expect(text).toMatch(/OPS_PORT += "\$\{NOMAD_PORT_ops\}"/);
      expect(text).toMatch(/ops_port += "\$\{NOMAD_PORT_ops\}"/);
    }
  });
});
