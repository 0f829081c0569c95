#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Takes a new host from nothing to its first backup, over JSON alone.
# Explained step by step in docs/automation.md.  Needs curl 7.76 and jq.
#
#   RM_URL        the controller, https://backup.example:8443
#   RM_USER       an operator or admin; RM_PASSWORD_FILE holds the password
#   RM_CACERT     a PEM file, when the certificate is self-signed
#   RM_HOST       name of the new host
#   RM_REPO       its repository, rest:https://nas.example:8000/web-1/
#   RM_REPO_PASSWORD_FILE  holds its password; none: the controller makes one
#   RM_PATHS      what is backed up, one path a line; none: /etc and /home
#   RM_TARGET     command prefix that runs a shell line on the host, such as
#                 "ssh root@web-1"; none: this host
#   RM_START      shell line that starts the agent there
#   RM_WAIT_S     how long to wait for each step, 300
#
# Prints the host as JSON at the end.  Exit status: 0 the backup succeeded,
# 1 it did not or a request was refused, 2 the arguments are wrong, 3 a wait
# took too long.
set -eu

wait_s=${RM_WAIT_S:-300}

die()
{
	code=$1
	shift
	echo "onboard: $*" >&2
	exit "$code"
}

for name in RM_URL RM_USER RM_PASSWORD_FILE RM_HOST RM_REPO; do
	eval "[ -n \"\${$name:-}\" ]" || die 2 "$name is not set"
done
start=${RM_START:-systemctl enable --now restic-manager-agent}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM
umask 077

# api METHOD PATH: the body comes by stdin, so that no secret is in argv.
# What is refused is told as the controller tells it: its code and sentence.
api()
{
	set -- "$1" "$RM_URL$2" ${RM_CACERT:+--cacert "$RM_CACERT"}
	method=$1 url=$2
	shift 2
	[ "$method" = GET ] ||
		set -- "$@" -H 'Content-Type: application/json' -d @-
	curl -sS --fail-with-body --max-time 30 "$@" -X "$method" \
		-b "$work/cookies" -c "$work/cookies" -o "$work/answer" \
		"$url" || die 1 "$method $url: $(jq -r \
		'"\(.code): \(.message)"' "$work/answer" 2>/dev/null)"
	cat "$work/answer"
}

# wait_for WHAT JQ-CONDITION PATH: asks every two seconds.
wait_for()
{
	what=$1 condition=$2 path=$3
	end=$(($(date +%s) + wait_s))

	until api GET "$path" >"$work/seen" &&
		jq -e "$condition" "$work/seen" >/dev/null; do
		[ "$(date +%s)" -lt "$end" ] ||
			die 3 "waited $wait_s s in vain for $what"
		sleep 2
	done
}

# 1. Sign in.
jq -n --arg u "$RM_USER" --rawfile p "$RM_PASSWORD_FILE" \
	'{username: $u, password: ($p | rtrimstr("\n"))}' |
	api POST /api/auth/login >/dev/null

# 2. Mint a token.
[ -n "${RM_REPO_PASSWORD_FILE:-}" ] || : >"$work/none"
jq -n --arg h "$RM_HOST" --arg r "$RM_REPO" --arg d "${RM_PATHS:-}" \
	--rawfile p "${RM_REPO_PASSWORD_FILE:-$work/none}" '
	{hostname: $h, repo_url: $r,
	 initial_paths: ($d | split("\n") | map(select(. != "")))}
	+ ($p | rtrimstr("\n") | if . == "" then {} else
		{repo_password: .} end)' |
	api POST /api/enrollment-tokens >"$work/token"

# 3. Enrol on the target and start the agent.  The token works once and for
#    an hour; the same command may be repeated when it failed half way.
jq -r .token "$work/token" |
	${RM_TARGET:-sh -c} "restic-manager-agent -enroll-server '$RM_URL' \
	-enroll-token -" >&2 ||
	die 1 "the agent could not enrol"
${RM_TARGET:-sh -c} "$start" >&2 || die 1 "the agent could not be started"

# 4. Wait until it is online and its repository is ready.
ours=".items[] | select(.name == \"$RM_HOST\")"
wait_for "$RM_HOST to be online and its repository ready" \
	"[$ours | select(.status == \"online\" and .repo_status != \"unknown\")]
	 | length > 0" /api/hosts
jq "[$ours] | sort_by(.enrolled_at) | last" "$work/seen" >"$work/host"
host=$(jq -r .id "$work/host")
[ "$(jq -r .repo_status "$work/host")" = ready ] ||
	die 1 "the repository: $(jq -r .repo_status_error "$work/host")"

# 5. Run the first source group and follow the job.
group=$(api GET "/api/hosts/$host/source-groups" | jq -r '.items[0].id')
job=$(echo '{}' | api POST "/api/hosts/$host/source-groups/$group/run" |
	jq -r .job_id)
wait_for "the end of job $job" '.finished_at != null' "/api/jobs/$job"
[ "$(jq -r '"\(.status) \(.incomplete)"' "$work/seen")" = "succeeded false" ] ||
	die 1 "the backup: $(jq -r \
	'"\(.status), \(.cause): \(.error)"' "$work/seen")," \
		"see $RM_URL/jobs/$job"
api GET "/api/hosts/$host"
