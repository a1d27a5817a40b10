import { describe, expect, test } from "bun:test";
import { watchEventLoop } from "../../../../lib/runtime/event_loop.ts";
import { threadCpuMs } from "../../../../lib/testing/cpu_time.ts";
import { useHarness } from "../../testing/use_harness.ts";
import { createBroadcastFixture, person } from "./broadcasts.fixture.ts";

const api = useHarness();

const { newBroadcast, upload } = createBroadcastFixture(() => api);

describe("a table", () => {
  test("is refused as a whole if unparsable", async () => {
    const { one, key } = await newBroadcast();
    for (const csv of ["", "phone,name\n551,Ada\n", "to\n5511000000001\n", "to,name,name\n1,2,3\n"]) {
      expect((await upload(one, key, csv)).status, csv).toBe(400);
    }
    expect((await upload(one, key, 'to,name\n5511000000001,Ada\n5511000000002,"')).body.errors[0].message).toContain(
      "line 3",
    );
    expect((await upload(one, key, "to,name\n", "application/pdf")).status).toBe(415);
  });

  test("may contain 100,000 recipients", async () => {
    const { one, key } = await newBroadcast();
    const rows = Array.from({ length: 100_000 }, (_, n) => `5511${String(n).padStart(9, "0")},Name ${n}`);
    const before = threadCpuMs();
    const uploaded = await upload(one, key, `to,name\n${rows.join("\n")}\n`);
    expect(uploaded.body).toMatchObject({ added: 100_000, duplicates: 0, refused: 0 });
    expect(threadCpuMs() - before).toBeLessThan(5_000);
    expect((await api.request("GET", one, { key })).body.progress).toMatchObject({
      recipients: 100_000,
      pending: 100_000,
    });
  });

  test("with 100,000 rows is imported without blocking others", async () => {
    const { one, key } = await newBroadcast();
    const other = await api.business();
    const rows = Array.from({ length: 100_000 }, (_, n) => `5511${String(n).padStart(9, "0")},Name ${n},"a, b",c`);
    const table = Buffer.from(`to,name,other,more\n${rows.join("\n")}\n`);
    // CPU time: the request's own, and what the import takes before its answer.
    const serve = async () => {
      const before = threadCpuMs();
      expect((await api.request("GET", `/v1/businesses/${other.id}`, { key: other.key })).status).toBe(200);
      return threadCpuMs() - before;
    };
    const p99 = (took: number[]) => took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)]!;
    const quiet: number[] = [];
    while (quiet.length < 200) quiet.push(await serve());

    let isImported = false;
    const uploading = upload(one, key, table).finally(() => (isImported = true));
    const busy: number[] = [];
    while (!isImported) busy.push(await serve());
    expect((await uploading).body).toMatchObject({ added: 100_000, duplicates: 0, refused: 0 });
    expect(busy.length).toBeGreaterThan(50);
    expect(p99(busy)).toBeLessThan(Math.max(50, 5 * p99(quiet)));
  });
});

describe("tables of other programs", () => {
  const rows = "to;name\r\n5511000000001;Größe\r\n5511000000002;שלום\r\n";
  const namesOf = async (broadcast: string) => {
    const { owner } = api.database;
    const found = await owner<{ name: string }[]>`
      select fields ->> 'name' as name from broadcast_recipients where broadcast_id = ${broadcast} order by place`;
    return found.map(({ name }) => name);
  };

  const tables: [name: string, bytes: Uint8Array, type: string, names: string[]][] = [
    ["UTF-8 with a byte order mark", Buffer.from(`\uFEFF${rows}`), "text/csv", ["Größe", "שלום"]],
    ["UTF-16LE with a byte order mark", Buffer.from(`\uFEFF${rows}`, "utf16le"), "text/csv", ["Größe", "שלום"]],
    [
      "UTF-16BE with a byte order mark",
      Buffer.from(`\uFEFF${rows}`, "utf16le").swap16(),
      "text/csv",
      ["Größe", "שלום"],
    ],
    ["Excel's sep= line", Buffer.from(`sep=;\r\n${rows}`), "text/csv", ["Größe", "שלום"]],
    ["tabs", Buffer.from(rows.replaceAll(";", "\t")), "text/csv", ["Größe", "שלום"]],
    [
      "windows-1252",
      Buffer.from("to,name\n5511000000001,Gr\xf6\xdfe\n", "latin1"),
      "text/csv; charset=windows-1252",
      ["Größe"],
    ],
    [
      "windows-1255",
      Buffer.from("to,name\n5511000000001,\xf9\xec\xe5\xed\n", "latin1"),
      'text/csv;charset="Windows-1255"',
      ["שלום"],
    ],
  ];
  test.each(tables)("reads %s", async (_, bytes, type, names) => {
    const { created, one, key } = await newBroadcast();
    expect((await upload(one, key, bytes, type)).body).toMatchObject({ added: names.length, refused: 0 });
    expect(await namesOf(created.body.id)).toEqual(names);
  });

  test("are refused if they violate their charset", async () => {
    const { created, one, key } = await newBroadcast();
    const good = "to,name\n5511000000001,Ada\n".repeat(3_000);
    for (const [bytes, type] of [
      [Buffer.from(`${good}5511000000002,Gr\xf6\xdfe\n`, "latin1"), "text/csv"],
      [Buffer.concat([Buffer.from(good), Buffer.from([0xed, 0xa0, 0x80])]), "text/csv; charset=utf-8"],
    ] as const) {
      const { status, body } = await upload(one, key, bytes, type);
      expect(status).toBe(400);
      expect(body.errors[0].message).toContain("is not valid utf-8");
    }
    expect((await upload(one, key, Buffer.from("to,name\n1,Ada\n", "utf16le"))).body.errors[0].message).toContain(
      "byte order mark",
    );
    const unknown = await upload(one, key, rows, "text/csv; charset=utf-7");
    expect(unknown.status).toBe(415);
    expect(unknown.body.errors[0]).toMatchObject({
      field: "content-type",
      message: expect.stringContaining('"utf-7"'),
    });
    expect(await namesOf(created.body.id)).toEqual([]);
  });

  test("add nothing if a late line cannot be parsed", async () => {
    const { created, one, key } = await newBroadcast();
    const lines = Array.from({ length: 5_000 }, (_, n) => `${person(n).to},N${n}`);
    const { status, body } = await upload(one, key, `to,name\n${lines.join("\n")}\n5511999999999,"x`);
    expect(status).toBe(400);
    expect(body.errors[0].message).toContain("line 5002");
    expect(await namesOf(created.body.id)).toEqual([]);
  });
});

describe("hostile tables", () => {
  const hostile: [name: string, table: string, status: number][] = [
    ["many columns, many rows", `to,${"x,".repeat(900)}name\n${`${",".repeat(30)}\n`.repeat(4_000)}`, 200],
    ["more columns than allowed", `to,name${",x".repeat(60_000)}\n1,2\n`, 400],
    ["nothing but separators", ",".repeat(8_000_000), 400],
    ["nothing but line endings", "\n".repeat(8_000_000), 400],
    ["a row a character", `to,name\n${"x\n".repeat(200_000)}`, 200],
    ["more rows than allowed", `to,name\n${"x\n".repeat(250_001)}`, 400],
    ["one long field", `to,name\n5511000000001,${"x".repeat(8_000_000)}\n`, 400],
    ["nothing but quotes", `to,name\n${'"'.repeat(8_000_001)}`, 400],
  ];

  test.each(hostile)("%s do not block others", async (_, table, status) => {
    const { one, key } = await newBroadcast();
    const loop = watchEventLoop();
    const uploaded = await upload(one, key, table);
    expect(loop.take().blockMs).toBeLessThan(250);
    loop.stop();
    expect(uploaded.status).toBe(status);
  });

  test("a business imports one table at a time", async () => {
    const { one, key } = await newBroadcast();
    const lines = Array.from({ length: 20_000 }, (_, n) => `${person(n).to},N${n}`);
    const table = `to,name\n${lines.join("\n")}`;
    const [first, second] = await Promise.all([upload(one, key, table), upload(one, key, table)]);
    expect([first.status, second.status].toSorted()).toEqual([200, 429]);
    expect((await upload(one, key, table)).body).toMatchObject({ added: 0, duplicates: 20_000 });
  });
});
