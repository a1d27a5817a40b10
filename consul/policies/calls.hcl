# The calls service: the limit of calls at once.
key "prosaas/calls/max_concurrent" {
  policy = "read"
}

# Where Redis is.
service "redis" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
