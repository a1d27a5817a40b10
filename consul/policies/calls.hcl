# The calls service: the limit of calls at once.
key "prosaas/calls/max_concurrent" {
  policy = "read"
}

# Finds the address of Redis.
service "redis" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
