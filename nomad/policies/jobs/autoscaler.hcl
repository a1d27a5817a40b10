# The job autoscaler: reads jobs with their counts and allocations, and sets counts. Nomad attaches it to the job's own
# identity. Its rights are those of a namespace: the token could scale other jobs too, within their scaling blocks.
namespace "default" {
  capabilities = ["read-job", "scale-job"]
}
