# The schema migration: where the database is.
service "postgres" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
