import { edgeCaseTexts } from "../../edge_cases.ts";
import { isRefused, kind, survives } from "../kind.ts";
import type { Attack, AttackKind } from "../kind.ts";

/* Broadcasts: templates, recipients, tables. */

const draft = (attack: Attack, text: string, more: object = {}) =>
  attack.asTenant("POST", "/broadcasts", JSON.stringify({ name: "hostile", text, ...more }));

/** Drafts a broadcast and gives its id; undefined where it was refused. */
async function draftId(attack: Attack, text: string): Promise<string | undefined> {
  const answer = await draft(attack, text);
  return answer?.status === 201 ? (JSON.parse(answer.body) as { id: string }).id : undefined;
}

/** Uploads a table for a text. */
async function upload(attack: Attack, text: string, table: string | Uint8Array, type = "text/csv") {
  const id = await draftId(attack, text);
  if (id === undefined) return null;
  return attack.asTenant("POST", `/broadcasts/${id}/recipients/upload`, table, { "content-type": type });
}

const number = (n: number) => String(15_600_000_000 + n);

export const broadcastAttacks: AttackKind[] = [
  kind(
    "tenant",
    "template-spaces",
    async (attack, random) => {
      const space = random.pick([" ", "\t", "\n", "\u00a0", "\u3000"]);
      const text = `${random.pick(["{{", "{{a", "{{ a"])}${space.repeat(3_200)}${random.pick(["", "}", "x"])}`;
      return survives(await draft(attack, text));
    },
    { count: 12, width: 2 },
  ),
  kind("tenant", "template-braces", async (attack, random) => {
    const text = random.pick(["{", "}", "{{", "}}", "{{a}", "{{}}", "{ {", "{{ {{"]).repeat(5_000).slice(0, 65_000);
    return survives(await draft(attack, text));
  }),
  kind(
    "tenant",
    "template-fields",
    async (attack, random) => {
      const text = Array.from({ length: 4_000 }, (_, n) => `{{f${n}}}`)
        .join(random.pick(["", " "]))
        .slice(0, 60_000);
      const cut = text.slice(0, text.lastIndexOf("}}") + 2);
      return survives(await draft(attack, cut));
    },
    { count: 30 },
  ),
  kind("tenant", "template-names", async (attack, random) => {
    return survives(await draft(attack, `Hello {{${random.pick(edgeCaseTexts).slice(0, 30_000)}}}`));
  }),
  kind(
    "tenant",
    "rendered-large",
    async (attack, random) => {
      const text = "{{a}}".repeat(13_000);
      const recipients = Array.from({ length: 5 }, (_, n) => ({
        to: number(random.below(1_000) + n * 1_000),
        fields: { a: "x".repeat(1_000) },
      }));
      return isRefusedOrEmpty(await draft(attack, text, { recipients, scheduled_at: "2036-01-01T00:00:00Z" }));
    },
    { count: 10, width: 2 },
  ),
  kind(
    "tenant",
    "recipients-many",
    async (attack) => {
      const recipients = Array.from({ length: 2_000 }, (_, n) => ({
        to: number(n),
        fields: { name: "x".repeat(100) },
      }));
      return survives(await draft(attack, "Hello {{name}}", { recipients, scheduled_at: "2036-01-01T00:00:00Z" }));
    },
    { count: 20, width: 4 },
  ),
  kind("tenant", "recipients-odd", async (attack, random) => {
    const fields = { [random.pick(edgeCaseTexts).slice(0, 64)]: random.pick(edgeCaseTexts).slice(0, 900) };
    const recipients = [{ to: random.pick([number(1), "x", ""]), fields }];
    return survives(await draft(attack, "Hello", { recipients, scheduled_at: "2036-01-01T00:00:00Z" }));
  }),
  kind(
    "tenant",
    "csv-wide",
    async (attack) => {
      // Rows × columns: each row is two bytes, and reading each for every column of the head costs their product.
      const columns = Array.from({ length: 12_000 }, (_, n) => `c${n.toString(36)}`).join(",");
      const rows = Array.from({ length: 20_000 }, () => "1").join("\n");
      return survives(await upload(attack, "Hello {{name}}", `to,name,${columns}\n${rows}\n`));
    },
    { count: 6, width: 1, budgetMs: 60_000 },
  ),
  kind(
    "tenant",
    "csv-commas",
    async (attack, random) => {
      const line = random.pick([",", ";", "\t"]).repeat(60_000);
      return survives(await upload(attack, "Hello {{name}}", `to,name${line}\n${line}\n${line}\n`));
    },
    { count: 12, width: 2 },
  ),
  kind(
    "tenant",
    "csv-fields",
    async (attack) => {
      const names = Array.from({ length: 50 }, (_, n) => `f${n}`);
      const text = names.map((name) => `{{${name}}}`).join(" ");
      const rows = Array.from({ length: 2_000 }, (_, n) => `${number(n)},${names.join(",")}`).join("\n");
      return survives(await upload(attack, text, `to,${names.join(",")}\n${rows}\n`));
    },
    { count: 12, width: 2 },
  ),
  kind(
    "tenant",
    "csv-quotes",
    async (attack, random) => {
      const table = random.pick([
        `to,name\n"${"x".repeat(500_000)}`,
        `to,name\n${'"",'.repeat(100_000)}`,
        `"to","na""me"\n"1","${'""'.repeat(100_000)}"\n`,
      ]);
      return survives(await upload(attack, "Hello {{name}}", table));
    },
    { count: 30, width: 4 },
  ),
  kind(
    "tenant",
    "csv-lines",
    async (attack, random) => {
      return survives(
        await upload(attack, "Hello {{name}}", `to,name\n${random.pick(["\n", "\r", "\r\n", " \n"]).repeat(300_000)}`),
      );
    },
    { count: 12, width: 2 },
  ),
  kind(
    "tenant",
    "csv-cells",
    async (attack) => {
      const rows = Array.from({ length: 100 }, (_, n) => `${number(n)},${"x".repeat(20_000)}`).join("\n");
      return survives(await upload(attack, "Hello {{name}}", `to,name\n${rows}\n`));
    },
    { count: 12, width: 2 },
  ),
  kind(
    "tenant",
    "csv-faults",
    async (attack) => {
      // None can be used: each line is a fault that is described.
      const rows = Array.from({ length: 50_000 }, () => "x,y").join("\n");
      return survives(await upload(attack, "Hello {{name}}", `to,name\n${rows}\n`));
    },
    { count: 12, width: 2, budgetMs: 30_000 },
  ),
  kind("tenant", "csv-encodings", async (attack, random) => {
    const text = `to,name\n${number(random.below(1_000))},Zoë\n`;
    const table = random.pick([
      Buffer.from(text, "utf16le"),
      Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(text, "utf16le")]),
      Buffer.from(text, "latin1"),
      Buffer.from(`sep=;\r\n${text.replaceAll(",", ";")}`),
      Buffer.concat([Buffer.from("to,name\n1,"), Buffer.from([0xc0, 0x80, 0xff])]),
      Buffer.from("to,name\n15600000001,\u0000\n"),
    ]);
    return survives(
      await upload(
        attack,
        "Hello {{name}}",
        table,
        random.pick(["text/csv", "text/csv; charset=utf-16", "text/csv; charset=x"]),
      ),
    );
  }),
  kind(
    "tenant",
    "csv-many",
    async (attack, random) => {
      const rows = Array.from({ length: 30_000 }, (_, n) => `${number(n)},N${random.below(10)}`).join("\n");
      return survives(await upload(attack, "Hello {{name}}", `to,name\n${rows}\n`));
    },
    { count: 4, width: 1, budgetMs: 60_000 },
  ),
  kind(
    "tenant",
    "csv-slow",
    async (attack) => {
      const id = await draftId(attack, "Hello {{name}}");
      if (id === undefined) return undefined;
      const line = await attack.line();
      const head = [
        `POST /v1/businesses/${attack.tenant.id}/broadcasts/${id}/recipients/upload HTTP/1.1`,
        "Host: localhost",
      ];
      head.push(`Authorization: Bearer ${attack.tenant.key}`, "Content-Type: text/csv", "Content-Length: 10000000");
      await line.write(`${head.join("\r\n")}\r\n\r\nto,name\n`);
      await line.write("x".repeat(200_000));
      await line.hold(3_000);
      return undefined;
    },
    { count: 200, width: 200, budgetMs: 40_000 },
  ),
];

/** A broadcast that would render far more text than a message may have has no recipient of that kind. */
function isRefusedOrEmpty(answer: Awaited<ReturnType<Attack["ask"]>>) {
  if (answer?.status !== 201) return survives(answer) ?? isRefused(answer);
  const { recipients } = JSON.parse(answer.body) as { recipients: { added: number } };
  return recipients.added > 0 ? `${recipients.added} recipients with 13 MB of text each were added` : undefined;
}
