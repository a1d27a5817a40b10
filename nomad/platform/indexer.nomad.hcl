# Builds the indexes that are missing, CONCURRENTLY and one at a time.
# Registered once; each run is a dispatch, because an unchanged batch job does not run again:
#
#   nomad job dispatch [-meta drop=NAME,…] indexer
#
#   nomad job run -hcl2-strict=false -var-file nomad/env/dev.vars.hcl nomad/platform/indexer.nomad.hcl
#
# Secrets: owner_password (Nomad variable nomad/jobs/indexer).

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

variable "postgres_address" {
  description = "host:port of the Postgres primary."
  type        = string

  validation {
    condition     = regex_replace(var.postgres_address, "^[^:/]+:[0-9]+$", "ok") == "ok"
    error_message = "The postgres_address must be host:port."
  }
}

variable "postgres_options" {
  description = "Appended to Postgres addresses, such as ?sslmode=verify-full for a managed server."
  type        = string
  default     = ""
}

job "indexer" {
  type = "batch"

  # drop: names of retired indexes that are to go, with commas between.
  parameterized {
    meta_optional = ["drop"]
  }

  group "indexer" {
    meta {
      release = var.release
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

    # A server that is just starting refuses connections; a real fault shows after three tries.
    restart {
      attempts = 2
      interval = "5m"
      delay    = "2s"
      mode     = "fail"
    }

    # A failed run is for a person to look at.
    reschedule {
      attempts  = 0
      unlimited = false
    }

    ephemeral_disk {
      size = 150 # MB: three log files of 10 MB for each of stdout and stderr, and the transpiler's cache
    }

    task "indexer" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "20s" # a statement in hand is rolled back

      config {
        command  = "/bin/bun"
        args     = ["run", "services/indexer/main.ts"]
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
        LOG_LEVEL        = var.log_level
        CONSUL_HTTP_ADDR = var.consul_address

        BUN_RUNTIME_TRANSPILER_CACHE_PATH = "/tmp/bun" # a restarted process need not transpile again
      }

      template {
        destination          = "secrets/env"
        env                  = true
        perms                = "0400"
        change_mode          = "noop" # a deploy rolls the job
        error_on_missing_key = true
        data                 = <<-EOT
          {{- with nomadVar "nomad/jobs/indexer" }}
          DATABASE_URL=postgres://prosaas:{{ .owner_password }}@${var.postgres_address}/prosaas${var.postgres_options}
          {{- end }}
        EOT
      }

      resources {
        cpu        = 100 # MHz, a share and not a limit
        memory     = 192
        memory_max = 512 # MB: one process with one connection
      }

      logs {
        max_files     = 3
        max_file_size = 10 # MB
      }
    }
  }
}
