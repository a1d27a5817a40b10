# The Nomad client: registers itself and removes the services of ended allocations. It registers a job's services with
# a token of the service's own, which Consul gives for the service's workload identity.
agent_prefix "" {
  policy = "read"
}

node_prefix "" {
  policy = "read"
}

service_prefix "" {
  policy = "write"
}
