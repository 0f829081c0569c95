#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# capture.sh RESTIC REST_SERVER
#
# Runs that restic through what an agent meets and keeps what it says beside
# this script: <version>/<case>.out, .err and .rc.  Needs root (one case runs
# as nobody) and everything below /tmp/rm-restic, which it makes afresh.
set -eu
restic=$1 server=$2
here=$(cd "$(dirname "$0")" && pwd)
out=$here/$("$restic" version | awk '{ print $2 }')
base=/tmp/rm-restic
rm -rf "$base" "$out"
mkdir -p "$base/src/sub" "$base/cache" "$out"
chmod 755 "$base"
export RESTIC_PASSWORD=canary-password-1 HOME=$base XDG_CACHE_HOME=$base/cache
export RESTIC_PROGRESS_FPS=20 RESTIC_REPOSITORY=$base/repo
limit=(timeout -k 5 60)
pids=()
trap '[ ${#pids[@]} -eq 0 ] || kill -9 "${pids[@]}" 2>/dev/null' EXIT

# run CASE ARGUMENTS...
run()
{
	local name=$1 rc=0
	shift
	"${limit[@]}" "$restic" "$@" >"$out/$name.out" 2>"$out/$name.err" ||
		rc=$?
	echo "$rc" >"$out/$name.rc"
	echo "$name $rc"
}

backup()
{
	local name=$1
	shift
	run "$name" backup --json --host web-1 --tag docs -- "$@"
}

for i in 1 2 3; do head -c 30000 /dev/urandom >"$base/src/file$i"; done
printf 'x' >"$base/src/sub/ü \"quoted\" name"
head -c 100 /dev/urandom >"$base/src/secret"
chmod 600 "$base/src/secret"

run version version
backup backup-no-repository "$base/src"
run snapshots-no-repository snapshots --json --no-lock
run init init
run snapshots-empty snapshots --json --no-lock
run stats-empty stats --json --no-lock --mode=raw-data
run init-again init
RESTIC_PASSWORD=wrong run init-again-wrong-password init
backup backup-first "$base/src"
backup backup-unchanged "$base/src"
backup backup-missing "$base/src" "$base/not-there"
backup backup-all-missing "$base/not-there"
RESTIC_PASSWORD=wrong backup backup-wrong-password "$base/src"
RESTIC_PASSWORD=wrong run snapshots-wrong-password snapshots --json --no-lock
RESTIC_PASSWORD=wrong run unlock-wrong-password unlock
run snapshots snapshots --json --no-lock
run stats stats --json --no-lock --mode=raw-data
run unlock unlock
run unknown-flag backup --json --no-such-flag -- "$base/src"
run no-password backup --json --password-file=/nonexistent -- "$base/src"

# A source that can be read in part only.
head -c 200 /dev/urandom >"$base/src/secret"
mkdir -m 700 "$base/src/closed"
chmod -R o+rwX "$base/repo"
export XDG_CACHE_HOME=$base/cache-nobody
install -d -o nobody "$XDG_CACHE_HOME"
limit=(timeout -k 5 60 setpriv --reuid=nobody --regid=nogroup --clear-groups)
backup backup-unreadable "$base/src"
limit=(timeout -k 5 60)
export XDG_CACHE_HOME=$base/cache

# Something else holds the repository exclusively.
head -c 300000000 /dev/urandom >"$base/big"
"$restic" backup "$base/big" >/dev/null
"$restic" check --read-data >/dev/null 2>&1 &
holder=$!
pids+=("$holder")
until [ -n "$(ls "$base/repo/locks")" ]; do sleep 0.05; done
sleep 0.3
kill -STOP "$holder"
backup backup-locked "$base/src"
run snapshots-beside-a-lock snapshots --json --no-lock
kill -CONT "$holder"
kill -INT "$holder"
wait "$holder" || true

# Interrupted in the middle.
head -c 300000000 /dev/urandom >"$base/big"
"$restic" --limit-upload 2000 backup --json --host web-1 -- "$base/big" \
	>"$out/backup-sigint.out" 2>"$out/backup-sigint.err" &
child=$!
sleep 4
kill -INT "$child"
rc=0
wait "$child" || rc=$?
echo "$rc" >"$out/backup-sigint.rc"
echo "backup-sigint $rc"
run unlock-after-sigint unlock
rm -f "$base/big"

# A REST server that only lets things be added, with a password.
port=$((20000 + RANDOM % 20000))
mkdir "$base/rest"
# user "web-1", password "canary-password-2"
printf 'web-1:{SHA}%s\n' \
	"$(printf canary-password-2 | openssl sha1 -binary | base64)" \
	>"$base/rest/.htpasswd"
"$server" --path "$base/rest" --listen "127.0.0.1:$port" --append-only \
	>/dev/null 2>&1 &
pids+=($!)
sleep 1
export RESTIC_REPOSITORY=rest:http://web-1:canary-password-2@127.0.0.1:$port/r
run rest-init init
run rest-init-again init
backup rest-backup "$base/src"
run rest-snapshots snapshots --json --no-lock
run rest-unlock unlock
export RESTIC_REPOSITORY=rest:http://web-1:wrong@127.0.0.1:$port/r
backup rest-backup-refused "$base/src"
run rest-init-refused init
export RESTIC_REPOSITORY=rest:http://web-1:canary-password-2@127.0.0.1:1/r
limit=(timeout -k 5 -s INT 4)
backup rest-backup-server-down "$base/src"

# The port is this run's own.
sed -i "s/127\\.0\\.0\\.1:$port/127.0.0.1:8000/g" "$out"/*
# One status line in ten is as good as all of them.
for f in "$out"/*.out; do
	awk '!/"message_type":"status"/ || n++ % 10 == 0' "$f" >"$f.t"
	mv "$f.t" "$f"
done
rm -rf "$base"
