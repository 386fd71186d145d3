# Shared by the commands in scripts/: installs what a build needs, configures and builds.
# Sourced, never run. Everything it says goes to stderr, so that a command's own output stays clean.

# The packages of Debian 12 and Ubuntu 24.04 that a build with tests needs.
readonly FATHOM_PACKAGES=(
  build-essential cmake ninja-build git
  libfmt-dev nlohmann-json3-dev libcli11-dev catch2 libbenchmark-dev libboost-dev
  libeigen3-dev libsqlite3-dev
)
# What `fathom measure` compares with and talks through. A build without them lacks the libraries'
# columns and --collectives, and nothing else; python3-jsonschema and doxygen are for tests. Chart.js
# goes into HTML reports, whose figures are static without it; librsvg draws PNG figures.
readonly FATHOM_OPTIONAL_PACKAGES=(libdnnl-dev libopenblas-dev libopenmpi-dev openmpi-bin libboost-mpi-dev
  python3-jsonschema doxygen libjs-chart.js librsvg2-dev)

# Large ones, so only on request: what reads the reports in tests (400 MB, for CI), and the compiler of
# the sliders in reports (900 MB).
FATHOM_LARGE_PACKAGES=()
if [[ -n "${CI:-}" ]]; then FATHOM_LARGE_PACKAGES+=(chromium nodejs); fi
if [[ -n "${FATHOM_SLIDERS:-}" ]]; then FATHOM_LARGE_PACKAGES+=(emscripten node-acorn); fi
readonly FATHOM_LARGE_PACKAGES

say() { printf '%s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

package_is_installed() {
  # Status, not the exit code: a removed package whose settings remain is known to dpkg as well.
  [[ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" == 'install ok installed' ]]
}

# Runs a command as root: directly, or through sudo. Without a terminal sudo may not ask for a
# password, since nobody could type it.
as_root() {
  if [[ "$(id -u)" -eq 0 ]]; then
    "$@"
  elif [[ -t 0 ]]; then
    sudo "$@"
  else
    sudo -n "$@"
  fi
}

missing_of() {
  local package
  for package in "$@"; do
    package_is_installed "$package" || printf '%s\n' "$package"
  done
}

apt_install() {
  say "installing: $*"
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "$@" >&2
}

can_be_root() { [[ "$(id -u)" -eq 0 ]] || command -v sudo >/dev/null; }

install_packages() {
  if ! command -v dpkg-query >/dev/null; then
    say "note: no dpkg here; expecting what these packages hold: ${FATHOM_PACKAGES[*]}"
    return 0
  fi
  local missing optional
  mapfile -t missing < <(missing_of "${FATHOM_PACKAGES[@]}")
  mapfile -t optional < <(missing_of "${FATHOM_OPTIONAL_PACKAGES[@]}" "${FATHOM_LARGE_PACKAGES[@]}")
  if [[ ${#missing[@]} -eq 0 && ${#optional[@]} -eq 0 ]]; then return 0; fi
  if ! can_be_root; then
    [[ ${#missing[@]} -eq 0 ]] ||
      die "missing packages: ${missing[*]}; run as root, install sudo, or install them yourself"
    say "note: building without ${optional[*]}"
    return 0
  fi
  if ! as_root apt-get update -qq >&2; then
    [[ ${#missing[@]} -eq 0 ]] ||
      die "apt-get update did not succeed; check network and sudo rights"
    say "note: building without ${optional[*]}"
    return 0
  fi
  if [[ ${#missing[@]} -gt 0 ]]; then
    apt_install "${missing[@]}" ||
      die "apt-get install did not succeed; missing packages: ${missing[*]}"
  fi
  if [[ ${#optional[@]} -gt 0 ]]; then
    apt_install "${optional[@]}" || install_what_there_is "${optional[@]}"
  fi
}

# A distribution that lacks one package still has the others.
install_what_there_is() {
  local package
  for package in "$@"; do
    apt_install "$package" || say "note: building without $package"
  done
}

# setup PRESET: afterwards build/PRESET is complete and up to date. What is done already is skipped.
# $FATHOM_CONFIGURE, if set, is one more argument of the configuration: -DFATHOM_SYMBOLS=OFF
setup() {
  local preset=$1
  install_packages
  say "building preset '$preset'"
  cmake --preset "$preset" ${FATHOM_CONFIGURE:+"$FATHOM_CONFIGURE"} >&2 || die "configuring preset '$preset' did not succeed"
  cmake --build --preset "$preset" --parallel "$(nproc)" >&2 ||
    die "building preset '$preset' did not succeed"
}
