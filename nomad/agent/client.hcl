# Every Nomad client. A node's own file adds its name, folders and addresses, node pool, host volume, the chroot's
# contents and the token for Consul (nomad/README.md).
disable_update_check = true

# Nothing without a token: what each role may do is in nomad/policies.
acl {
  enabled = true
}

log_level            = "INFO"
log_rotate_bytes     = 10485760 # 10 MB
log_rotate_max_files = 6

# A server that lost its power closes no connection. The default finds out after up to 40 s: by then, its clients have
# missed their heartbeats (10 s late at most), and commands have hung as long.
rpc {
  keep_alive_interval      = "3s"
  connection_write_timeout = "4s" # waits for the answer, too: a busy server takes seconds
}

consul {
  client_service_name = "nomad-client"
}

client {
  enabled = true

  # The pooler listens here. On one machine all tasks do, by name: the default network of its interface has ::1 too,
  # and Nomad moves a port there when it is still taken on 127.0.0.1.
  host_network "loopback" {
    interface = "lo"
    cidr      = "127.0.0.1/32"
  }

  # A call may take that long to end before its task is killed; Nomad's default caps every kill_timeout at 30 s.
  max_kill_timeout = "10m"

  options = {
    # exec isolates; raw_exec does not, and the others are not used.
    "driver.allowlist" = "exec"
    # Without a cloud around, these wait for a metadata server that never answers.
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean"
  }

  # 0 = for ever: a task must outlive any Consul or Nomad outage, and running out of retries kills it.
  template {
    consul_retry {
      attempts = 0
    }
    nomad_retry {
      attempts = 0
    }
  }
}

# Of Linux's capabilities a task may ask for one: nginx listens below 1024 where an environment gives it such ports.
plugin "exec" {
  config {
    allow_caps = ["net_bind_service"]
  }
}

telemetry {
  prometheus_metrics         = true
  publish_allocation_metrics = true
  publish_node_metrics       = true
  disable_hostname           = true
}
