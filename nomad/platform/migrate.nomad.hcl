# Brings the schema up to date and stores the first admin key. Registered once; each run is a dispatch, because an
# unchanged batch job does not run again: nomad job dispatch migrate

variable "migrate_release" { type = string }     # an address with checksum, as `task release` prints it
variable "platform_pool" { default = "default" } # the nodes that it may run on

job "migrate" {
  type      = "batch"
  node_pool = var.platform_pool

  parameterized {}

  group "migrate" {
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

    task "migrate" {
      driver       = "exec"
      user         = "nobody"
      kill_signal  = "SIGTERM"
      kill_timeout = "20s" # the statement in flight is rolled back
      consul {}            # a token under consul/policies/migrate.hcl, in CONSUL_HTTP_TOKEN
      artifact {
        source      = var.migrate_release
        destination = "app"
      }
      config {
        command  = "/bin/bun"
        args     = ["run", "services/migrate/main.js"]
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
        cpu        = 100 # MHz, a share and not a limit
        memory     = 192 # MB
        memory_max = 512 # MB: one process with one connection
      }
      logs { max_files = 3 } # of 10 MB each
    }
  }
}
