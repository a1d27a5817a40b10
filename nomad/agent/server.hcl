# The Nomad servers: three in production. A node's own file adds its name, folders and addresses, bootstrap_expect, the
# gossip key and the token for Consul (nomad/README.md).
# Server and client are two processes: combined in one, a restart can lose a race between the keyring and
# the node's registration, and placement then stalls for 15 s and more.
disable_update_check = true

# Nothing without a token: what each role may do is in nomad/policies.
acl {
  enabled = true
}

log_level            = "INFO"
log_rotate_bytes     = 10485760 # 10 MB
log_rotate_max_files = 6

server {
  enabled = true

  # A stopped job is forgotten after a year, not after four hours: what it was scaled to must survive
  # a `down` over the holidays.
  job_gc_threshold = "8760h"
  # A client may be silent for that long after an election: one that lost its server asks the next within 30 s. With the
  # default of 5m, for thousands of clients, a node that is lost along with the leader is noticed that late.
  failover_heartbeat_ttl = "2m"

  # Dispatched batch jobs keep their logs for a day.
  batch_eval_gc_threshold = "24h"

  # Tasks reserve what they use on an ordinary day (memory) and may grow to their limit (memory_max).
  # Read once, when the cluster is born.
  default_scheduler_config {
    memory_oversubscription_enabled = true
    scheduler_algorithm             = "spread" # the emptiest node, not the fullest: a lost node costs less
  }
}

# As in client.hcl: a request that was forwarded to a lost leader fails within seconds.
rpc {
  keep_alive_interval      = "3s"
  connection_write_timeout = "4s"
}

consul {
  server_service_name = "nomad"

  # Services and tasks log in to Consul with identities that Nomad signs (scripts/stack/access/consul.ts).
  service_identity {
    aud = ["consul.io"]
    ttl = "1h"
  }
  task_identity {
    aud = ["consul.io"]
    ttl = "1h"
  }
}

telemetry {
  prometheus_metrics         = true
  publish_allocation_metrics = false
  disable_hostname           = true
}
