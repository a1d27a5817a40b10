# The WhatsApp shards. Allocation k is shard k + 1 and keeps its logins on volume wa-auth[k], which must exist
# before the count grows (nomad/volumes/wa-auth.volume.hcl). Scaling down keeps the volumes.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/platform/wa-shards.nomad.hcl
#
# Secrets: redis_shards_password, wa_noise_root (not for the real WhatsApp) [, metrics_token], and for each
# shard n shard_token_<n> and auth_keys_<n> (Nomad variable nomad/jobs/wa-shards). `task secrets:shards N=…` derives the
# last two from shard_token and shard_keys in the variable prosaas/secrets, which no task can read; so does every command
# that adds shards.
#
# A task gets its own items only: its template renders no other, and with ACLs on it has no Nomad token to read the
# variable with (the socket secrets/api.sock answers 401). What remains to be trusted is the node's Nomad agent and its
# root user, who can read the items of every shard.

variable "wa_shards_count" {
  description = "Shards. Lower it with the scale script only, which moves the businesses away first."
  type        = number
  default     = 2

  # A Nomad variable holds 64 KiB: the secrets of 300 shards fit, with a second key while keys are rotated.
  validation {
    condition     = var.wa_shards_count >= 1 && var.wa_shards_count <= 300
    error_message = "The wa_shards_count must be from 1 to 300."
  }
}

variable "wa_shards_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 384
}

variable "wa_shards_memory_max" {
  description = "MB an allocation may grow to before it is killed."
  type        = number
  default     = 1536
}

variable "wa_websocket_url" {
  description = "WhatsApp's WebSocket. Empty: the real one."
  type        = string
  default     = ""
}

variable "pacing" {
  description = "Whether accounts are paced whose business did not choose: on or off. Off is for the simulator."
  type        = string
  default     = "on"

  validation {
    condition     = contains(["on", "off"], var.pacing)
    error_message = "The pacing must be on or off."
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

variable "consul_address" {
  description = "host:port of the Consul agent that tasks talk to."
  type        = string
  default     = "127.0.0.1:8500"

  validation {
    condition     = regex_replace(var.consul_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The consul_address must be host:port."
  }
}

variable "host_network" {
  description = "The client's host_network whose address tasks listen on."
  type        = string
  default     = "default"
}

variable "redis_address" {
  description = "host:port of Redis."
  type        = string

  validation {
    condition     = regex_replace(var.redis_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The redis_address must be host:port."
  }
}

variable "redis_scheme" {
  description = "redis, or rediss for TLS."
  type        = string
  default     = "redis"

  validation {
    condition     = contains(["redis", "rediss"], var.redis_scheme)
    error_message = "The redis_scheme must be redis or rediss."
  }
}

job "wa-shards" {
  type = "service"

  group "shard" {
    count = var.wa_shards_count

    meta {
      release = var.release
    }

    network {
      mode = "host"
      port "http" {
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

    # Allocation k gets wa-auth[k] and no other. Not single-node-single-writer: Nomad 1.11 counts that by the
    # common name, and two shards on a node would keep every further allocation off it. The shard locks its volume.
    volume "auth" {
      type            = "host"
      source          = "wa-auth"
      per_alloc       = true
      access_mode     = "single-node-writer"
      attachment_mode = "file-system"
    }

    # One shard after the other, and never two processes for one: no canary.
    update {
      max_parallel      = 1
      health_check      = "checks"
      min_healthy_time  = "10s" # shorter, and a shard that dies while it reopens its sessions counts as healthy
      healthy_deadline  = "2m"
      progress_deadline = "5m"
      auto_revert       = true
    }

    # Its data is on this node: it is restarted here for ever, at most 20 times a minute.
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

    # A lost node keeps its shards: another node has no volume for them, and a second owner is the worst case.
    disconnect {
      lost_after = "6h"
      replace    = false
      reconcile  = "keep_original"
    }

    ephemeral_disk {
      size = 150 # MB: three log files of 10 MB for each of stdout and stderr, and the transpiler's cache
    }

    service {
      name     = "whatsapp-shard"
      port     = "http"
      provider = "consul"

      meta {
        release     = var.release
        ops_port    = "${NOMAD_PORT_ops}"    # of /metrics, for Prometheus
        shard_index = "${NOMAD_ALLOC_INDEX}" # from 0; the shard's number is one more
      }

      check {
        name     = "alive"
        type     = "http"
        port     = "ops"
        path     = "/health"
        interval = "5s"
        timeout  = "2s"

        initial_status           = "passing"
        failures_before_critical = 2

        check_restart {
          limit = 6 # 30 s without an answer: the process hangs
          grace = "20s"
        }
      }

      check {
        name     = "ready"
        type     = "http"
        port     = "ops"
        path     = "/ready"
        interval = "2s"
        timeout  = "2s"

        # A shard that is killed is back in its place within a second or two: routers keep its address, and whoever
        # comes before it listens tries again.
        initial_status           = "passing"
        failures_before_critical = 2

        # Readiness follows Redis, Consul and the volume's owner; a deployment must not fail over those.
        on_update = "ignore"
      }
    }

    task "shard" {
      driver         = "exec"
      user           = "nobody"
      shutdown_delay = "1s" # the directories of routers follow Consul within that
      kill_signal    = "SIGTERM"
      kill_timeout   = "15s" # messages in flight are acknowledged or left to the ledger within 10 s

      # A token under consul/policies/wa-shards.hcl, in CONSUL_HTTP_TOKEN.
      consul {}

      config {
        command  = "/bin/bun"
        args     = ["run", "services/whatsapp/main.ts"]
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

      volume_mount {
        volume      = "auth"
        destination = "/auth"
      }

      env {
        HOST             = "${NOMAD_IP_http}"
        PORT             = "${NOMAD_PORT_http}"
        OPS_PORT         = "${NOMAD_PORT_ops}"
        LOG_LEVEL        = var.log_level
        CONSUL_HTTP_ADDR = var.consul_address
        SHARD_INDEX      = "${NOMAD_ALLOC_INDEX}"
        AUTH_DIR         = "/auth"
        PACING           = var.pacing
        WA_WEBSOCKET_URL = var.wa_websocket_url

        BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        error_on_missing_key = true
        data                 = <<-EOT
          {{- $shard := add (env "NOMAD_ALLOC_INDEX" | parseInt) 1 }}
          {{- with nomadVar "nomad/jobs/wa-shards" }}
          SHARD_TOKEN={{ index . (printf "shard_token_%d" $shard) }}
          AUTH_KEYS={{ index . (printf "auth_keys_%d" $shard) }}{{ with print (index . "former_auth_keys") }},{{ . }}{{ end }}
          {{- with index . "wa_noise_root" }}
          WA_NOISE_ROOT={{ . }}
          {{- end }}
          REDIS_URL=${var.redis_scheme}://shards:{{ .redis_shards_password }}@${var.redis_address}/0
          {{- with index . "metrics_token" }}
          METRICS_TOKEN={{ . }}
          {{- end }}
          {{- end }}
        EOT
      }

      resources {
        cpu        = 250 # MHz, a share and not a limit: what counts is the ratio to the other tasks
        memory     = var.wa_shards_memory
        memory_max = var.wa_shards_memory_max
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
