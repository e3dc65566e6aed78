#!/usr/bin/env bash
# Usage: hack/need-deb.sh FILE=PACKAGE...
#
# Makes sure that each FILE (a glob, or a command on the PATH) is there, and
# installs the Debian PACKAGE for those that are not. No service is started, no
# database cluster is made, and nothing stays behind but the packages.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# have FILE: a command of that name, or a file that matches.
have() { command -v "$1" >/dev/null 2>&1 || compgen -G "$1" >/dev/null; }

# While packages are set up, a policy forbids starting services, and PostgreSQL's
# scripts are told to make no cluster. Both files say whose they are, so that the
# next run takes away what a killed one left; nobody else's is touched.
policy=/usr/sbin/policy-rc.d
answer=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
marker='# Placed by hack/need-deb.sh while it installs packages.'

place() {
  local file=$1 mode=$2 text=$3
  if [[ -e $file ]]; then return; fi
  mkdir -p "$(dirname "$file")"
  printf '%s\n' "$text" >"$file"
  chmod "$mode" "$file"
}
undo() {
  local file
  for file in "$policy" "$answer"; do
    if grep -qsF "$marker" "$file"; then rm -f "$file"; fi
  done
}

if [[ $(id -u) -eq 0 ]] && command -v apt-get >/dev/null; then
  # One run at a time: undo must not pull the policy from under another's apt-get.
  exec 9<"${BASH_SOURCE[0]}"
  flock 9
  undo
fi

missing=()
for pair in "$@"; do
  if ! have "${pair%%=*}"; then missing+=("${pair#*=}"); fi
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

command -v apt-get >/dev/null ||
  die "missing: ${missing[*]} (Debian's names). This is no Debian system, so nothing was installed; install them and run again."
[[ $(id -u) -eq 0 ]] ||
  die "missing: ${missing[*]}. Only root can install them: sudo apt-get install ${missing[*]}"

say "Installing Debian packages: ${missing[*]}"
trap undo EXIT
trap 'exit 130' INT TERM
place "$policy" 755 "#!/bin/sh"$'\n'"$marker"$'\n'"exit 101"
place "$answer" 644 "$marker"$'\n'"create_main_cluster = false"

apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# Lists that cannot be fetched are no obstacle if those at hand will do.
if ! { "${apt[@]}" update || true; "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  die "apt-get could not install: ${missing[*]}. Its whole output is in $log. Offline? Then install them by hand and run again."
fi
rm -f "$log"

for pair in "$@"; do
  have "${pair%%=*}" || die "package ${pair#*=} is installed and ${pair%%=*} is still not there"
done
