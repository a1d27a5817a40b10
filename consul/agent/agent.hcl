# Every Consul agent. A node's own file adds its name, folders and addresses, its token and the gossip key
# (nomad/README.md). Each Nomad client has an agent: tasks ask it on loopback, and nothing else listens there.
client_addr = "127.0.0.1"

# Nothing without a token: what each part may do is in consul/policies.
acl {
  enabled        = true
  default_policy = "deny"
}

# A file of 10 MB each, six of them kept.
log_level            = "INFO"
log_rotate_bytes     = 10485760
log_rotate_max_files = 6

disable_update_check = true

# An agent that restarts stays a member. A client that leaves takes its node's services out of the catalog, and ends the
# sessions by which shards own their numbers.
leave_on_terminate      = false
skip_leave_on_interrupt = true

# Nothing here speaks gRPC or WAN gossip.
ports {
  grpc     = -1
  grpc_tls = -1
  serf_wan = -1
}

performance {
  # 1 = the fastest leader timeouts, Consul's own advice for production.
  raft_multiplier = 1
}

limits {
  # The default of 200 is for each client address, and all tasks of a node share one.
  http_max_conns_per_client = 2000
}

telemetry {
  prometheus_retention_time = "2m"
  disable_hostname          = true
}
