# Keeps as many workers, API and calls replicas as their load needs: services/autoscaler/README.md.

variable "autoscaler_release" { type = string }  # an address with checksum, as `task release` prints it
variable "platform_pool" { default = "default" } # the nodes that it may run on
variable "host_network" { default = "default" }  # of the client; its address is what tasks listen on

job "autoscaler" {
  node_pool = var.platform_pool
  priority  = 70 # as the API: it adds replicas while processors are full

  spread { attribute = "${node.unique.id}" } # on two nodes where there are two

  group "autoscaler" {
    count = 2 # one is active, the other takes over
    network {
      port "ops" { host_network = var.host_network }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    reschedule { max_delay = "1m" } # the longest that a repaired cluster waits

    service {
      name = "prosaas-autoscaler"
      port = "ops"
      meta { ops_port = "${NOMAD_PORT_ops}" } # of /metrics, for Prometheus
      check {
        name     = "ready"
        type     = "http"
        port     = "ops"
        path     = "/ready"
        interval = "5s"
        timeout  = "2s"             # it answers from memory, within milliseconds
        check_restart { limit = 6 } # 30 s without an answer: the process hangs
      }
    }

    task "autoscaler" {
      driver = "exec"
      user   = "nobody"
      consul {}               # a token under consul/policies/autoscaler.hcl, in CONSUL_HTTP_TOKEN
      identity { env = true } # a token under nomad/policies/jobs/autoscaler.hcl, in NOMAD_TOKEN
      artifact {
        source      = var.autoscaler_release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/autoscaler/main.js"]
        work_dir = "/app"
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      env {
        HOST       = "${NOMAD_IP_ops}"
        OPS_PORT   = "${NOMAD_PORT_ops}"
        NOMAD_ADDR = "unix:///secrets/api.sock" # of the node's client
      }
      template {
        destination = "secrets/env"
        env         = true
        perms       = "0400"
        data        = file("nomad/tasks/env.ctmpl")
        change_mode = "noop" # `task secrets:apply` or a deploy replaces the allocations
      }
      resources {
        cpu        = 50  # MHz, a share and not a limit
        memory     = 96  # MB
        memory_max = 256 # MB
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
