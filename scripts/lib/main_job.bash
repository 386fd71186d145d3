# What scripts/demo shows. Sourced, never run.

# main_job BINARY [ARGUMENT...]: runs from the repository root; its exit status is the demo's.
# Answers which cluster DeepSeek-V3 needs and why; the last lines name the report to open.
main_job() {
  local fathom=$1
  shift
  "$fathom" demo --output reports/out "$@"
}
