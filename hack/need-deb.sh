#!/usr/bin/env bash
# Usage: hack/need-deb.sh FILE=PACKAGE...
#
# Makes sure that each FILE (a glob, or a command on the PATH) is there, and
# installs the Debian PACKAGE for those that are not. No service is started, no
# database cluster is made, and nothing stays behind but the packages.
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# have FILE: a command of that name, or a file that matches.
have() { command -v "$1" >/dev/null 2>&1 || compgen -G "$1" >/dev/null; }

missing=()
for pair in "$@"; do
  if ! have "${pair%%=*}"; then missing+=("${pair#*=}"); fi
done
if [[ ${#missing[@]} -eq 0 ]]; then exit 0; fi

command -v apt-get >/dev/null ||
  die "missing: ${missing[*]} (Debian's names). This is no Debian system, so nothing was installed; install them and run again."
[[ $(id -u) -eq 0 ]] ||
  die "missing: ${missing[*]}. Only root can install them: sudo apt-get install ${missing[*]}"

# While the packages are set up, a policy forbids starting services, and
# PostgreSQL's scripts are told to make no cluster. Both go away in the end, and
# neither replaces a file that somebody else put there.
made=()
place() {
  local file=$1 mode=$2 text=$3
  if [[ -e $file ]]; then return; fi
  mkdir -p "$(dirname "$file")"
  made+=("$file")
  printf '%s\n' "$text" >"$file"
  chmod "$mode" "$file"
}
undo() {
  if [[ ${#made[@]} -gt 0 ]]; then rm -f "${made[@]}"; fi
}
trap undo EXIT
trap 'exit 130' INT TERM

say "Installing Debian packages: ${missing[*]}"
place /usr/sbin/policy-rc.d 755 $'#!/bin/sh\nexit 101'
place /etc/postgresql-common/createcluster.d/no-main-cluster.conf 644 'create_main_cluster = false'

apt=(apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0)
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
if ! { "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  die "apt-get could not install: ${missing[*]}. Its whole output is in $log. Offline? Then install them by hand and run again."
fi
rm -f "$log"

for pair in "$@"; do
  have "${pair%%=*}" || die "package ${pair#*=} is installed and ${pair%%=*} is still not there"
done
