# The template of nginx' configuration, under Nomad or consul-template: the upstreams, and maintenance.
service "prosaas-api" {
  policy = "read"
}

service "prosaas-calls" {
  policy = "read"
}

# Challenges of an authority, which go to the job acme.
service "prosaas-acme" {
  policy = "read"
}

# Maintenance of the API.
key_prefix "prosaas/edge/" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}
