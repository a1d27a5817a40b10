import type { ConsulClient } from "../../lib/consul/client.ts";
import type { Logger } from "../../lib/runtime/log.ts";
import { fingerprintOf, makeTemporary, reasonToRenew, requireUsable } from "./certificate.ts";
import type { Pair } from "./certificate.ts";
import type { AcmeConfig } from "./config.ts";
import { untilForwarded, untilPresented } from "./edges.ts";
import { order } from "./lego.ts";
import type { Variables } from "./variables.ts";

/** The variable whose items tls_certificate and tls_key nginx follows, and this job's own. */
const edgePath = "nomad/jobs/nginx";
const ownPath = "nomad/jobs/acme";

export type Services = { config: AcmeConfig; consul: ConsulClient; variables: Variables; logger: Logger };

/**
 * Replaces the edge's certificate if it is due. A failure at any step keeps the old one: the new one is stored
 * last, in one write, after it was checked.
 */
export async function renew({ config, consul, variables, logger }: Services): Promise<void> {
  const domains = config.ACME_DOMAINS;
  const { items } = await variables.read(edgePath);
  const current = items["tls_certificate"];
  const due = { domains, renewDays: config.ACME_RENEW_DAYS, now: Date.now() };
  const reason = reasonToRenew(current, due);
  if (reason === null) return logger.info({ domains }, "the certificate is not due");

  logger.info({ domains, reason }, "the certificate is due");
  if (!current?.trim()) await store(variables, await makeTemporary(domains[0]!, config.NOMAD_SECRETS_DIR));
  const edges = await untilForwarded(consul, { host: config.NOMAD_IP_http, port: config.NOMAD_PORT_http });
  logger.info({ edges }, "every edge forwards challenges");

  const { pair, account, output } = await order(config);
  if (account !== config.ACME_ACCOUNT) await keepAccount(variables, account);
  if (pair === null) throw new Error(`lego obtained no certificate: ${output}`);
  requireUsable(pair, domains, Date.now());
  await store(variables, pair);
  await untilPresented(consul, fingerprintOf(pair.certificate));
  logger.info({ domains, edges }, "every edge presents the new certificate");
}

async function store(variables: Variables, { certificate, key }: Pair): Promise<void> {
  // Read again: an operator may have changed other items since.
  const { items, modifyIndex } = await variables.read(edgePath);
  await variables.write(edgePath, { ...items, tls_certificate: certificate, tls_key: key }, modifyIndex);
}

async function keepAccount(variables: Variables, account: string): Promise<void> {
  const { items, modifyIndex } = await variables.read(ownPath);
  await variables.write(ownPath, { ...items, ACME_ACCOUNT: account }, modifyIndex);
}
