/** Counts since the process started. */
export type Stats = {
  connections_opened: number;
  logins: number;
  /** Logins that ended an earlier connection of the same device: two clients held the login at once. */
  logins_replaced: number;
  /** Clients without an account that were offered QR references. */
  pairings_offered: number;
  stanzas_received: number;
  /** Clients' messages that the server accepted. */
  messages_accepted: number;
  messages_refused: number;
  /** Queries for a number that the fault not_on_whatsapp answered with "no account". */
  accounts_denied: number;
  acks_sent: number;
  /** Messages that phones showed. */
  messages_shown: number;
  /** Messages that phones dropped as duplicates. */
  duplicates_dropped: number;
  undecryptable: number;
  ticks_queued: number;
  /** Messages that phones sent to companions. */
  messages_delivered: number;
  /** Stanzas that companions acknowledged: messages, ticks, notifications. */
  stanzas_acknowledged: number;
  retries_asked: number;
  /** Messages without content that companions requested from their phone. */
  placeholders_asked: number;
  /** Unacknowledged stanzas that were sent again after a login. */
  redelivered: number;
  protocol_errors: number;
  /** Queries that a fault refused. */
  queries_refused: number;
  /** All queries, by namespace. */
  queries: Record<string, number>;
  /** Unsupported queries, by namespace. */
  unknown_queries: Record<string, number>;
};

export function createStats(): Stats {
  return {
    connections_opened: 0,
    logins: 0,
    logins_replaced: 0,
    pairings_offered: 0,
    stanzas_received: 0,
    messages_accepted: 0,
    messages_refused: 0,
    accounts_denied: 0,
    acks_sent: 0,
    messages_shown: 0,
    duplicates_dropped: 0,
    undecryptable: 0,
    ticks_queued: 0,
    messages_delivered: 0,
    stanzas_acknowledged: 0,
    retries_asked: 0,
    placeholders_asked: 0,
    redelivered: 0,
    protocol_errors: 0,
    queries_refused: 0,
    queries: {},
    unknown_queries: {},
  };
}

/** Names of the counts that are single numbers. */
export const countedStats = (Object.keys(createStats()) as (keyof Stats)[]).filter(
  (name) => name !== "queries" && name !== "unknown_queries",
);
