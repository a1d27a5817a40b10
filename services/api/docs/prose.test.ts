import { afterAll, describe, expect, test } from "bun:test";
import { findingsOf } from "../../../scripts/testing/prose.ts";
import { createOfflineApp } from "../testing/offline_app.ts";
import type { ApiDocument } from "./openapi.ts";

/** Verbs that start a summary. Prefer one of them; add one only for an action that none of them names. */
const verbs = new Set(
  (
    "Add Assign Cancel Check Confirm Connect Create Delete Discard Get Lift List Log Mark Move Pause " +
    "Rebalance Release Replace Replay Restart Resume Revoke Rotate Send Set Sign Start Stop Stream Update Upload"
  ).split(" "),
);
const maxSummaryWords = 6;

const { app, close } = createOfflineApp("https://api.example.com");
afterAll(close);

const document = (await (await app.request("/v1/openapi.json")).json()) as ApiDocument;
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
);

/** Every string of the document, with its JSON path. */
function* textsOf(value: unknown, path = ""): Generator<{ path: string; text: string }> {
  if (typeof value === "string") yield { path, text: value };
  else if (typeof value === "object" && value !== null)
    for (const [key, member] of Object.entries(value)) yield* textsOf(member, `${path}/${key}`);
}

describe("summaries", () => {
  test.each(operations)("of $name: an imperative, short, without a period", ({ operation: { summary = "" } }) => {
    const words = summary.split(" ");
    expect(verbs).toContain(words[0]!);
    expect(words.length).toBeLessThanOrEqual(maxSummaryWords);
    expect(summary).not.toEndWith(".");
  });

  test("are unique", () => {
    const summaries = operations.map(({ operation }) => operation.summary);
    expect(summaries.toSorted()).toEqual([...new Set(summaries)].toSorted());
  });
});

describe("descriptions", () => {
  /** Operations whose summary says everything. */
  const selfExplanatory = new Set([
    "Get a business",
    "Update a business",
    "Get a webhook",
    "Get call settings",
    "Get a move",
    "Sign out of the console",
  ]);

  test("accompany every summary that is not self-explanatory", () => {
    const bare = operations.filter(({ operation }) => operation.description === undefined);
    expect(bare.map(({ operation }) => operation.summary!).filter((summary) => !selfExplanatory.has(summary))).toEqual(
      [],
    );
  });

  test("are sentences that end with a period", () => {
    for (const { name, operation } of operations)
      if (operation.description !== undefined) expect(operation.description, name).toEndWith(".");
  });
});

test("no text contains a pattern of the prose check", () => {
  const findings = [...textsOf(document)].flatMap(({ path, text }) =>
    findingsOf("document.md", text)
      .filter(({ rule }) => rule !== "columns")
      .map(({ rule }) => `${path}: ${rule}: ${text}`),
  );
  expect(findings).toEqual([]);
});
