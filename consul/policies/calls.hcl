# The calls service: the limit of calls at once.
key "prosaas/calls/max_concurrent" {
  policy = "read"
}
