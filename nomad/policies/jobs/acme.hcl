# The job acme: the certificate of the edge, and its own account at the authority.
namespace "default" {
  variables {
    path "nomad/jobs/nginx" {
      capabilities = ["read", "write"]
    }

    path "nomad/jobs/acme" {
      capabilities = ["read", "write"]
    }
  }
}
