# The pooler: where the database is, and with how many other nodes it shares the connections.
service "postgres" {
  policy = "read"
}

service "pgbouncer" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
