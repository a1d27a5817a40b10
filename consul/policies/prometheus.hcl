# Prometheus: the addresses of its targets, which are services of any name.
service_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
