# The Nomad server: registers itself.
agent_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

service_prefix "nomad" {
  policy = "write"
}
