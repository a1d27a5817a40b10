# The Consul agent of a one-machine stack; names, folders and ports are added by scripts/up.
# In production three servers form the cluster (bootstrap_expect = 3) and each Nomad client runs an agent.
server           = true
bootstrap_expect = 1
bind_addr        = "127.0.0.1"
client_addr      = "127.0.0.1"

# Nothing without a token: what each part may do is in consul/policies.
acl {
  enabled        = true
  default_policy = "deny"
}

ui_config {
  enabled = true
}

# A file of 10 MB each, six of them kept.
log_level            = "INFO"
log_rotate_bytes     = 10485760
log_rotate_max_files = 6

disable_update_check = true

# Nothing here speaks gRPC, HTTPS or WAN gossip to this agent.
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
  # The default of 200 is for each client address, and on one machine every process has the same one.
  http_max_conns_per_client = 2000
}

telemetry {
  prometheus_retention_time = "2m"
  disable_hostname          = true
}
