# consul-template beside nginx: the upstreams.
service "prosaas-api" {
  policy = "read"
}

service "prosaas-calls" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
