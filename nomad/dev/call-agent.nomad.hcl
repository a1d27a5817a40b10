# A voice agent to develop and test with: a menu that greets, echoes and knows four keys. In production call_agent_url of
# the job calls leads to an agent of your own (services/calls/agent/PROTOCOL.md).
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/dev/call-agent.nomad.hcl
#
# Secrets: [call_agent_token] (Nomad variable nomad/jobs/call-agent).

variable "call_agent_port" {
  description = "Port that the calls service reaches it under."
  type        = number
  default     = 17080

  validation {
    condition     = var.call_agent_port >= 1 && var.call_agent_port <= 65535
    error_message = "The call_agent_port must be from 1 to 65535."
  }
}

variable "release" {
  description = "What is deployed: another value rolls the job over to the code that is there now."
  type        = string
  default     = "checkout"
}

variable "release_url" {
  description = "Address of a release tarball (go-getter form, with ?checksum=). Empty: the node's host volume \"app\"."
  type        = string
  default     = ""
}

variable "log_level" {
  description = "Least severe log line that is written."
  type        = string
  default     = "info"

  validation {
    condition     = contains(["trace", "debug", "info", "warn", "error"], var.log_level)
    error_message = "The log_level must be one of trace, debug, info, warn, error."
  }
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

job "call-agent" {
  type = "service"

  group "call-agent" {
    count = 1 # its port is fixed

    meta {
      release = var.release
    }

    network {
      mode = "host"
      port "http" {
        static       = var.call_agent_port
        host_network = var.host_network
      }
      port "ops" {
        host_network = var.host_network
      }
    }

    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }

    dynamic "volume" {
      for_each = var.release_url == "" ? ["app"] : []
      labels   = [volume.value]
      content {
        type      = "host"
        source    = "app"
        read_only = true
      }
    }

    # One process has the port: the old one ends before the new one starts.
    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "5s"
      healthy_deadline  = "2m"
      progress_deadline = "5m"
    }

    # It is restarted here for ever, at most 20 times a minute.
    restart {
      attempts = 20
      interval = "1m"
      delay    = "250ms"
      mode     = "delay"
    }

    # Only what even a restart cannot mend gets here: a new allocation, at once.
    reschedule {
      delay          = "5s"
      delay_function = "constant"
      unlimited      = true
    }

    ephemeral_disk {
      size = 150 # MB: three log files of 10 MB for each of stdout and stderr, and the transpiler's cache
    }

    service {
      name     = "prosaas-call-agent"
      port     = "http"
      provider = "consul"

      meta {
        release  = var.release
        ops_port = "${NOMAD_PORT_ops}" # of /metrics, for Prometheus
      }

      check {
        name     = "alive"
        type     = "http"
        port     = "ops"
        path     = "/health"
        interval = "2s" # also the longest that a new allocation waits for its first check
        timeout  = "2s"

        check_restart {
          limit = 15 # 30 s without an answer: the process hangs
          grace = "20s"
        }
      }
    }

    task "call-agent" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "5s" # calls go on at the next one

      config {
        command  = "/bin/bun"
        args     = ["run", "services/calls/agent/main.ts"]
        work_dir = "/app"
        cap_drop = ["all"]
      }

      volume_mount {
        volume      = "usr"
        destination = "/usr"
        read_only   = true
      }

      dynamic "artifact" {
        for_each = var.release_url == "" ? [] : [var.release_url]
        content {
          source      = artifact.value
          destination = "app"
        }
      }

      dynamic "volume_mount" {
        for_each = var.release_url == "" ? ["app"] : []
        content {
          volume      = volume_mount.value
          destination = "/app"
          read_only   = true
        }
      }

      env {
        HOST      = "${NOMAD_IP_http}"
        PORT      = "${NOMAD_PORT_http}"
        OPS_PORT  = "${NOMAD_PORT_ops}"
        LOG_LEVEL = var.log_level

        BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        error_on_missing_key = true
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/call-agent" }}
          {{- with index . "call_agent_token" }}
          CALL_AGENT_TOKEN={{ . }}
          {{- end }}
          {{- end }}
        EOT
      }

      resources {
        cpu        = 100 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = 96
        memory_max = 256 # MB
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
