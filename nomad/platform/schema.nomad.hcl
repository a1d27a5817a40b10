# Jobs that run and end. Two on the schema: migrate brings it up to date and stores the first admin key; indexer builds
# the missing indexes, CONCURRENTLY and one at a time. Registered once; each run is a dispatch, because an unchanged
# batch job does not run again: nomad job dispatch migrate; nomad job dispatch [-meta drop=NAME,…] indexer
# The third one, acme, renews the certificate of the edge with Debian's lego: nomad job periodic force acme

variable "job" { default = "migrate" }           # or indexer, acme
variable "acme_release" { type = string }        # an address with checksum, as `task release` prints it
variable "migrate_release" { type = string }     # as above
variable "indexer_release" { type = string }     # as above
variable "platform_pool" { default = "default" } # the nodes that it may run on
variable "host_network" { default = "default" }  # of the client; its address is what tasks listen on

job "schema" {
  id        = var.job
  name      = var.job
  type      = "batch"
  node_pool = var.platform_pool

  dynamic "parameterized" {
    for_each = { migrate = [null], indexer = [["drop"]], acme = [] }[var.job] # names of indexes to drop, with commas
    content { meta_optional = parameterized.value }
  }
  dynamic "periodic" {
    for_each = var.job == "acme" ? [["23 4,16 * * *"]] : [] # a failure leaves weeks of further runs before the alert
    content { crons = periodic.value }
  }

  group "schema" {
    volume "usr" {
      type      = "host"
      source    = "usr"
      read_only = true
    }
    network {
      port "http" { host_network = var.host_network }
    }
    service { # of acme: the edge forwards challenges to it
      name = "prosaas-${var.job}"
      port = "http"
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
        source      = { acme = var.acme_release, migrate = var.migrate_release, indexer = var.indexer_release }[var.job]
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
      identity { env = var.job == "acme" } # a token under nomad/policies/jobs/acme.hcl
      env { HOSTS = "postgres" }
      dynamic "template" {
        for_each = { hosts = "etc/hosts", env = "secrets/env" }
        content {
          destination = template.value
          data        = file("nomad/tasks/${template.key}.ctmpl")
          env         = template.key == "env"
          perms       = template.key == "env" ? "0400" : "0644"
          change_mode = "noop" # hosts are read at each connection; a run begins with the settings of its time
        }
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
