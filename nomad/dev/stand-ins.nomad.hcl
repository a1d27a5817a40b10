# Two jobs that stand in for others in development, tests and benchmarks, and not in production. simulator: WhatsApp and
# the voice carrier, with virtual phones, callers, and faults on request; its templates read media_certificate,
# media_key and tls_authority. call-agent: a voice agent with a spoken menu (services/calls/agent/PROTOCOL.md).

variable "job" { default = "simulator" }            # or call-agent
variable "simulator_release" { type = string }      # an address with checksum, as `task release` prints it
variable "call_agent_release" { type = string }     # as above
variable "data_pool" { default = "default" }        # the nodes that they may run on
variable "host_network" { default = "default" }     # of the client; its address is what tasks listen on
variable "simulator_port" { default = 17070 }       # of the control API and the WebSocket
variable "simulator_media_port" { default = 17071 } # of the media host, always https
variable "call_agent_port" { default = 17080 }      # of CALL_AGENT_URL

locals {
  job = { # memory in MB: 100 and 53 when idle
    simulator = {
      release = var.simulator_release, program = "simulator/main.js", memory = { reserve = 256, max = 1024 }
      ports   = { http = var.simulator_port, media = var.simulator_media_port }, data = ["data"]
      files   = ["media_certificate", "media_key", "tls_authority"] # the last is SIMULATOR_CA_FILE
    }
    call-agent = {
      release = var.call_agent_release, program = "calls/agent/main.js", memory = { reserve = 96, max = 256 }
      ports   = { http = var.call_agent_port }, data = [], files = []
    }
  }[var.job]
}

job "stand-in" {
  id        = var.job
  name      = var.job
  node_pool = var.data_pool

  group "stand-in" { # one allocation: the phones live in one process, and settings name one address
    network {
      port "ops" { host_network = var.host_network }
      dynamic "port" {
        for_each = local.job.ports
        labels   = [port.key]
        content {
          static       = port.value
          host_network = var.host_network
        }
      }
    }
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    dynamic "volume" {
      for_each = local.job.data
      labels   = [volume.value]
      content {
        type            = "host"
        source          = "simulator-data"
        access_mode     = "single-node-single-writer"
        attachment_mode = "file-system"
      }
    }
    update { min_healthy_time = "5s" } # it has no traffic that could kill it

    disconnect { # a node that is cut off keeps it: no other has its phones, and settings name that node
      replace    = false
      lost_after = "6h" # longer than any repair
    }
    restart { # here, without end, at most 20 times a minute: its data is on this node
      attempts = 20
      interval = "1m"
      delay    = "250ms" # clients retry for seconds
      mode     = "delay"
    }
    reschedule { delay_function = "constant" } # a new allocation half a minute after the restarts are used up

    service {
      name = "prosaas-${var.job}"
      port = "http"
      meta { ops_port = "${NOMAD_PORT_ops}" } # of /metrics, for Prometheus
      check {
        name     = "ready"
        type     = "http"
        port     = "ops"
        path     = "/ready"
        interval = "2s"              # the longest that a new allocation waits for its first check
        timeout  = "2s"              # it answers from memory, within milliseconds
        check_restart { limit = 15 } # 30 s without an answer: the process hangs
      }
    }

    task "stand-in" {
      driver       = "exec"
      user         = "nobody"
      kill_timeout = "10s" # the simulator writes its phones to the volume
      artifact {
        source      = local.job.release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/${local.job.program}"]
        work_dir = "/app"
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      dynamic "volume_mount" {
        for_each = local.job.data
        content {
          volume      = volume_mount.value
          destination = "/data"
        }
      }
      env {
        HOST                 = "${NOMAD_IP_http}"
        PORT                 = "${NOMAD_PORT_http}"
        OPS_PORT             = "${NOMAD_PORT_ops}"
        SIMULATOR_DATA       = "/data"
        SIMULATOR_MEDIA_PORT = lookup(local.job.ports, "media", 0)
        SIMULATOR_MEDIA_CERT = "/secrets/media_certificate"
        SIMULATOR_MEDIA_KEY  = "/secrets/media_key"
      }
      template {
        destination = "secrets/env"
        env         = true
        perms       = "0400"
        data        = file("nomad/tasks/env.ctmpl")
        change_mode = "noop" # `task secrets:apply` or a deploy replaces the allocations
      }
      dynamic "template" {
        for_each = local.job.files
        content {
          destination = "secrets/${template.value}"
          data        = "{{ with nomadVar \"nomad/jobs/simulator\" }}{{ index . \"${template.value}\" }}{{ end }}"
          perms       = "0400"
          uid         = 65534 # of the task
          gid         = 65534
          change_mode = "noop" # a deploy replaces the allocation
        }
      }
      resources {
        cpu        = 200 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = local.job.memory.reserve
        memory_max = local.job.memory.max
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
