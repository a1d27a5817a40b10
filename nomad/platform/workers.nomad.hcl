# Queue workers. lib/queues/definitions.ts says which queues a group serves; task lint holds this file against it.
# A group for each urgency (high, default, low), or -var profile=single: one group that serves every queue. A job may
# go from one to the other while it runs: what the old allocations do not finish the new ones take over. On a stack:
# task scale:profile, which starts the new ones first.
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/platform/workers.nomad.hcl
#
# Secrets: app_password, data_keys, redis_workers_password, shard_token [, metrics_token]
# [, s3_access_key_id, s3_secret_access_key] [, media_ca] (Nomad variable nomad/jobs/workers).

variable "profile" {
  description = "groups: workers of their own for urgent, default and slow work. single: workers that serve every queue."
  type        = string
  default     = "groups"

  validation {
    condition     = contains(["groups", "single"], var.profile)
    error_message = "The profile must be groups or single."
  }
}

variable "worker_counts" {
  description = "Allocations of each worker group; all is the group of the single profile."
  type        = map(number)
  default     = { high = 1, default = 1, low = 1, all = 3 }

  validation {
    condition     = length(setintersection(keys(var.worker_counts), ["high", "default", "low", "all"])) == length(var.worker_counts)
    error_message = "The worker_counts must have no other keys than high, default, low and all."
  }
}

variable "worker_max" {
  description = "The most allocations of a group that task autoscale asks for."
  type        = number
  default     = 20

  validation {
    condition     = var.worker_max >= 1 && var.worker_max <= 1000
    error_message = "The worker_max must be from 1 to 1000."
  }
}

locals {
  # By group: how many, if the environment does not say; how long its oldest job may wait, in seconds, before there are
  # too few workers; and whose jobs these are.
  groups = {
    groups = {
      high    = { count = 1, wait = 1, queues = "high" } # a one-time password leaves within a second
      default = { count = 1, wait = 10, queues = "default|receipts|receipts_sync" }
      low     = { count = 1, wait = 60, queues = "low|maintenance|broadcasts|media|recordings" }
    }
    single = {
      all = { count = 3, wait = 10, queues = "high|default|receipts|receipts_sync|low|maintenance|broadcasts|media|recordings" }
    }
  }
}

variable "workers_memory" {
  description = "MB of memory reserved for each allocation."
  type        = number
  default     = 256
}

variable "workers_memory_max" {
  description = "MB an allocation may grow to before it is killed, its one media decoder of up to 450 MB included."
  type        = number
  default     = 768
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

variable "pooler_address" {
  description = "host:port of pgbouncer, or of the managed pooler."
  type        = string

  validation {
    condition     = regex_replace(var.pooler_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The pooler_address must be host:port."
  }
}

variable "read_address" {
  description = "host:port of a Postgres replica for reads that may lag. Empty: every read goes through the pooler."
  type        = string
  default     = ""
}

variable "postgres_options" {
  description = "Appended to Postgres addresses, such as ?sslmode=verify-full for a managed server."
  type        = string
  default     = ""
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

variable "webhooks_allow_private" {
  description = "Whether webhooks may go over http and into private networks. For development."
  type        = bool
  default     = false
}

variable "twilio_api_url" {
  description = "Address of the voice carrier's REST API: another one for a carrier that is compatible, or the simulator."
  type        = string
  default     = "https://api.twilio.com"

  validation {
    condition     = regex_replace(var.twilio_api_url, "^https?://[^/]+$", "ok") == "ok"
    error_message = "The twilio_api_url must be http(s)://host[:port]."
  }
}

variable "wa_shards_count" {
  description = "First value of Consul's prosaas/whatsapp/num_shards; from then on that key alone counts."
  type        = number
  default     = 2
}

variable "storage_url" {
  description = "Where files are kept: s3://bucket, or file:///media for the volume \"media\". Empty: nowhere, and messages go without files."
  type        = string
  default     = ""

  validation {
    condition     = var.storage_url == "" || var.storage_url == "file:///media" || regex_replace(var.storage_url, "^s3://[a-z0-9.-]+$", "ok") == "ok"
    error_message = "The storage_url must be s3://bucket or file:///media."
  }
}

variable "s3_endpoint" {
  description = "https://… of an S3-compatible service. Empty: Amazon's."
  type        = string
  default     = ""
}

variable "s3_region" {
  description = "Region of the bucket."
  type        = string
  default     = ""
}

variable "wa_media_host" {
  description = "WhatsApp's media host, host or host:port. Another one needs its authority in the secret media_ca, for development."
  type        = string
  default     = "mmg.whatsapp.net"
}

variable "media_quota_bytes" {
  description = "Bytes of stored media of one business. The jobs api and workers have the same."
  type        = number
  default     = 10737418240 # 10 GiB

  validation {
    condition     = var.media_quota_bytes >= 1
    error_message = "The media_quota_bytes must be at least 1."
  }
}

variable "media_retention_days" {
  description = "Days for which files are kept after a message last came with them. Empty: for ever."
  type        = string
  default     = ""
}

variable "public_url" {
  description = "Address under which clients reach the edge, without a trailing slash."
  type        = string

  validation {
    condition     = regex_replace(var.public_url, "^https?://[^/]+$", "ok") == "ok"
    error_message = "The public_url must be http(s)://host[:port]."
  }
}

job "workers" {
  type = "service"

  dynamic "group" {
    for_each = local.groups[var.profile]
    labels   = [group.key]
    content {
      count = lookup(var.worker_counts, group.key, group.value.count)

      # For task autoscale, and for whoever runs the Nomad Autoscaler with Prometheus.
      scaling {
        enabled = true
        min     = 1
        max     = max(var.worker_max, lookup(var.worker_counts, group.key, group.value.count))

        policy {
          evaluation_interval = "10s"
          cooldown            = "1m" # a new allocation takes half a minute to serve and to show

          check "oldest_job" {
            source = "prometheus"
            query  = "max(prosaas_queue_oldest_seconds{queue=~\"${group.value.queues}\"})"

            strategy "target-value" {
              target = group.value.wait
            }
          }
        }
      }

      meta {
        release = var.release
      }

      network {
        mode = "host"
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

      dynamic "volume" {
        for_each = var.storage_url == "file:///media" ? ["media"] : []
        labels   = [volume.value]
        content {
          type            = "host"
          source          = "media"
          access_mode     = "single-node-multi-writer"
          attachment_mode = "file-system"
        }
      }

      # A new allocation joins beside the old ones, and the rest follow once it is healthy.
      update {
        max_parallel      = 1
        canary            = 1
        auto_promote      = true
        auto_revert       = true
        health_check      = "checks"
        min_healthy_time  = "10s" # shorter, and a process that dies at its first real request counts as healthy
        healthy_deadline  = "2m"
        progress_deadline = "5m"
      }

      # Five quick tries here, then another allocation, elsewhere if there is an elsewhere.
      restart {
        attempts = 5
        interval = "1m"
        delay    = "1s"
        mode     = "fail"
      }

      reschedule {
        delay          = "5s"
        delay_function = "exponential"
        max_delay      = "1m"
        unlimited      = true
      }

      ephemeral_disk {
        size = 150 # MB: three log files of 10 MB for each of stdout and stderr, and the transpiler's cache
      }

      service {
        name     = "prosaas-worker-${group.key}"
        port     = "ops"
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
          interval = "5s"
          timeout  = "2s"

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
          interval = "2s" # also the longest that a new allocation waits for its first check
          timeout  = "2s"
        }
      }

      task "worker" {
        driver       = "exec"
        user         = "nobody"
        kill_signal  = "SIGTERM"
        kill_timeout = "30s" # jobs in hand are finished or handed back within 25 s

        # A token under consul/policies/workers.hcl, in CONSUL_HTTP_TOKEN.
        consul {}

        config {
          command  = "/bin/bun"
          args     = ["run", "services/workers/main.ts"]
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

        dynamic "volume_mount" {
          for_each = var.storage_url == "file:///media" ? ["media"] : []
          content {
            volume      = volume_mount.value
            destination = "/media"
          }
        }

        env {
          HOST                   = "${NOMAD_IP_ops}"
          OPS_PORT               = "${NOMAD_PORT_ops}"
          LOG_LEVEL              = var.log_level
          CONSUL_HTTP_ADDR       = var.consul_address
          TWILIO_API_URL         = var.twilio_api_url
          WORKER_GROUP           = group.key
          BAILEYS_NUM_SHARDS     = var.wa_shards_count
          WEBHOOKS_ALLOW_PRIVATE = var.webhooks_allow_private
          PUBLIC_URL             = var.public_url
          STORAGE_URL            = var.storage_url
          S3_ENDPOINT            = var.s3_endpoint
          S3_REGION              = var.s3_region
          WA_MEDIA_HOST          = var.wa_media_host
          MEDIA_RETENTION_DAYS   = var.media_retention_days
          MEDIA_QUOTA_BYTES      = var.media_quota_bytes

          BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
        }

        template {
          destination          = "secrets/env"
          env                  = true
          perms                = "0400"
          change_mode          = "noop" # a deploy rolls the job
          error_on_missing_key = true
          data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/workers" }}
          SHARD_TOKEN={{ .shard_token }}
          DATA_KEYS={{ .data_keys }}
          DATABASE_URL_POOLER=postgres://prosaas_app:{{ .app_password }}@${var.pooler_address}/prosaas${var.postgres_options}
          DATABASE_URL_READ=${var.read_address == "" ? "" : "postgres://prosaas_app:{{ .app_password }}@${var.read_address}/prosaas${var.postgres_options}"}
          REDIS_URL=${var.redis_scheme}://workers:{{ .redis_workers_password }}@${var.redis_address}/0
          {{- with index . "s3_access_key_id" }}
          S3_ACCESS_KEY_ID={{ . }}
          {{- end }}
          {{- with index . "s3_secret_access_key" }}
          S3_SECRET_ACCESS_KEY={{ . }}
          {{- end }}
          {{- with index . "media_ca" }}
          NODE_EXTRA_CA_CERTS=/secrets/media-ca.crt
          {{- end }}
          {{- with index . "metrics_token" }}
          METRICS_TOKEN={{ . }}
          {{- end }}
          {{- with index . "twilio_account_sid" }}
          TWILIO_ACCOUNT_SID={{ . }}
          {{- end }}
          {{- with index . "twilio_auth_token" }}
          TWILIO_AUTH_TOKEN={{ . }}
          {{- end }}
          {{- end }}
        EOT
        }

        template {
          destination = "secrets/media-ca.crt"
          perms       = "0400"
          change_mode = "noop" # a deploy rolls the job
          uid         = 65534  # nobody, who runs the task
          gid         = 65534
          data        = "{{ with nomadVar \"nomad/jobs/workers\" }}{{ with index . \"media_ca\" }}{{ . }}{{ end }}{{ end }}"
        }

        resources {
          cpu        = 150 # MHz, a share and not a limit: what counts is the ratio to the other tasks
          memory     = var.workers_memory
          memory_max = var.workers_memory_max
        }

        logs {
          max_files     = 3
          max_file_size = 10 # MB
        }
      }
    }
  }
}
