# The job acme: the edges, which must forward its challenges.
service "prosaas-edge" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
