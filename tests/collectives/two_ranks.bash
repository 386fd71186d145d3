#!/usr/bin/env bash
# two_ranks.bash FATHOM: runs the smallest sizes of every collective on two ranks. The program
# itself checks what arrives; here the report is looked at. Exit code 77: no MPI here.
set -euo pipefail
fathom=$1
command -v mpirun >/dev/null || { echo "no mpirun"; exit 77; }
[[ -e "$(dirname "$fathom")/fathom_mpi.so" ]] || { echo "no MPI module"; exit 77; }

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
# MPI keeps memory and threads of its own that the sanitisers of our presets know nothing about.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
export TSAN_OPTIONS="${TSAN_OPTIONS:-}:ignore_noninstrumented_modules=1"
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_MCA_mpi_yield_when_idle=1

refused() {
  echo "not refused as expected: $1"
  exit 1
}

# One process alone is told how to start two, by itself and under the launcher.
for alone in "$fathom" "mpirun -n 1 $fathom"; do
  if $alone measure --collectives >"$folder/out" 2>"$folder/err"; then refused "$alone"; fi
  grep -q 'mpirun -n 2 fathom measure --collectives' "$folder/err" || refused "$alone"
done

mpirun -n 2 "$fathom" measure --collectives --rounds 3 --seconds 0.02 --largest-mib 1 \
  --format json -o "$folder/ranks.json"
for word in all_reduce all_gather all_to_all dispatch combine leave_one_out \
  bus_bandwidth_b_s; do
  grep -q "\"$word\"" "$folder/ranks.json" || { echo "no $word in the report"; exit 1; }
done
grep -q '"ranks": 2' "$folder/ranks.json" || { echo "not two ranks"; exit 1; }

# The table comes from one rank only.
mpirun -n 2 "$fathom" measure --collectives --only all_gather --largest-mib 1 --rounds 3 \
  --seconds 0.02 >"$folder/table"
[[ "$(grep -c 'Collectives between 2 local ranks' "$folder/table")" -eq 1 ]] ||
  { echo "one report expected"; exit 1; }
