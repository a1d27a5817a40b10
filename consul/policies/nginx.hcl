# The template of nginx' configuration, under Nomad or consul-template: the upstreams.
service "prosaas-api" {
  policy = "read"
}

service "prosaas-calls" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
