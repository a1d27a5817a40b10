# Two jobs on the schema: migrate brings it up to date and stores the first admin key; indexer builds the missing
# indexes, CONCURRENTLY and one at a time. Registered once; each run is a dispatch, because an unchanged batch job does
# not run again: nomad job dispatch migrate; nomad job dispatch [-meta drop=NAME,…] indexer

variable "job" { default = "migrate" }           # or indexer
variable "migrate_release" { type = string }     # an address with checksum, as `task release` prints it
variable "indexer_release" { type = string }     # as above
variable "platform_pool" { default = "default" } # the nodes that it may run on

job "schema" {
  id        = var.job
  name      = var.job
  type      = "batch"
  node_pool = var.platform_pool

  parameterized { meta_optional = var.job == "indexer" ? ["drop"] : null } # names of indexes to drop, with commas

  group "schema" {
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    restart { # a server that is just starting refuses connections; a real fault shows after three tries
      attempts = 2
      interval = "5m"
      delay    = "2s"
    }
    reschedule { attempts = 0 } # a failed run is for a person to look at

    task "schema" {
      driver       = "exec"
      user         = "nobody"
      kill_timeout = "20s" # the statement in flight is rolled back
      consul {}            # a token under the job's file in consul/policies, in CONSUL_HTTP_TOKEN
      artifact {
        source      = { migrate = var.migrate_release, indexer = var.indexer_release }[var.job]
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/${var.job}/main.js"]
        work_dir = "/app"
        cap_drop = ["all"]
      }
      volume_mount {
        volume      = "usr"
        destination = "/usr"
      }
      env { HOSTS = "postgres" }
      template {
        destination = "etc/hosts"
        data        = file("nomad/tasks/hosts.ctmpl")
        change_mode = "noop" # read at each connection
      }
      template {
        destination = "secrets/env"
        env         = true
        perms       = "0400"
        data        = file("nomad/tasks/env.ctmpl")
        change_mode = "noop" # `task secrets:apply` or a deploy replaces the allocations
      }
      resources {
        cpu        = var.job == "indexer" ? 50 : 100 # MHz, a share and not a limit: the services come first
        memory     = 192                             # MB
        memory_max = 512                             # MB: one process with one connection
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
