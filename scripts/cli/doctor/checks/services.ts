import { count, error, quoted } from "../finding.ts";
import type { Fault } from "../finding.ts";

/** A critical check of Consul. */
export type CriticalCheck = {
  node: string;
  /** Empty for a check of the node itself. */
  service: string;
  check: string;
  output: string;
};

/** One finding a service, and one for each check of a node. */
export function judgeServices(critical: readonly CriticalCheck[]): Fault[] {
  const ofNodes = critical.filter(({ service }) => service === "");
  const ofServices = critical.filter(({ service }) => service !== "");
  return [
    ...ofNodes.map(({ node, check, output }) =>
      error(`Node ${node} fails the check "${check}" in Consul: ${quoted(output)}`, "See: consul members"),
    ),
    ...[...Map.groupBy(ofServices, ({ service }) => service)].map(([service, checks]) => {
      const nodes = [...new Set(checks.map(({ node }) => node))].join(", ");
      const [first] = checks;
      const found = `Service ${service} fails ${count(checks.length, "check")} on ${nodes}: `;
      return error(
        `${found}${quoted(`${first!.check}: ${first!.output}`)}`,
        "See: task status, task logs -- --level warn",
      );
    }),
  ];
}
