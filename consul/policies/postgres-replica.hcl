# The replica: where the primary is.
service "postgres" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
