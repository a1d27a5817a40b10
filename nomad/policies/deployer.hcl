# A deploy: registers and scales jobs, and creates their volumes. Reads no secret.
namespace "default" {
  capabilities = [
    "list-jobs", "parse-job", "read-job", "submit-job", "dispatch-job", "scale-job",
    "read-logs", "alloc-lifecycle", "host-volume-read", "host-volume-create",
  ]
}

node {
  policy = "read"
}
