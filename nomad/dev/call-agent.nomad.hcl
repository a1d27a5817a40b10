# A voice agent for development: a spoken menu that speaks services/calls/agent/PROTOCOL.md. Not for production.

variable "call_agent_release" { type = string } # an address with checksum, as `task release` prints it
variable "data_pool" { default = "default" }    # the nodes that it may run on
variable "host_network" { default = "default" } # of the client; its address is what tasks listen on
variable "call_agent_port" { default = 17080 }  # of CALL_AGENT_URL

job "call-agent" {
  node_pool = var.data_pool

  group "call-agent" { # one allocation: CALL_AGENT_URL names one address
    network {
      port "http" {
        static       = var.call_agent_port
        host_network = var.host_network
      }
      port "ops" { host_network = var.host_network }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    update {
      min_healthy_time = "5s" # it has no traffic that could kill it
      healthy_deadline = "2m" # a start takes seconds
    }
    disconnect { # a node that is cut off keeps it: CALL_AGENT_URL names that node
      replace    = false
      lost_after = "1h" # longer than any repair
    }
    restart { # here, without end, at most 20 times a minute: clients know one address
      attempts = 20
      interval = "1m"
      delay    = "250ms" # clients retry for seconds
      mode     = "delay"
    }
    reschedule {
      delay          = "5s" # Nomad's least: what no restart repairs gets a new allocation at once
      delay_function = "constant"
    }

    service {
      name = "prosaas-call-agent"
      port = "http"
      meta { ops_port = "${NOMAD_PORT_ops}" } # of /metrics, for Prometheus
      check {
        name     = "alive"
        type     = "http"
        port     = "ops"
        path     = "/health"
        interval = "2s" # the longest that a new allocation waits for its first check
        timeout  = "2s" # it answers from memory, within milliseconds
        check_restart {
          limit = 15    # 30 s without an answer: the process hangs
          grace = "20s" # longer than any start
        }
      }
    }

    task "call-agent" {
      driver = "exec"
      user   = "nobody"
      artifact {
        source      = var.call_agent_release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/calls/agent/main.js"]
        work_dir = "/app"
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      env {
        HOST     = "${NOMAD_IP_http}"
        PORT     = "${NOMAD_PORT_http}"
        OPS_PORT = "${NOMAD_PORT_ops}"
      }
      template {
        destination = "secrets/env"
        env         = true
        perms       = "0400"
        data        = file("nomad/tasks/env.ctmpl")
        change_mode = "noop" # `task secrets:apply` or a deploy replaces the allocations
      }
      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 96  # MB: 53 when idle
        memory_max = 256 # MB: a call takes little
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
