#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Installs restic-manager-agent on this host and makes it a host of a
# restic-manager controller.  Its page "Add host" shows the whole command:
#
#   curl -fsSL https://SERVER/install/install.sh |
#       RM_SERVER=https://SERVER RM_TOKEN=TOKEN \
#       sudo --preserve-env=RM_SERVER,RM_TOKEN bash
#
# RM_SERVER            the controller, https://host[:port]
# RM_TOKEN             enrolment token (RM_ENROL_TOKEN is the same); without
#                      one the host announces itself and waits for approval
# RM_PIN               SHA-256 of the controller's public key, 64 hex digits;
#                      a token carries it
# RM_FORCE_REENROLL=1  enrol again although this host is enrolled
# RM_CONFIG_DIR        /etc/restic-manager
# RM_STATE_DIR         /var/lib/restic-manager-agent
# RM_ROOT              install below this folder, for images and tests
#
# A second run changes nothing on a host that is enrolled.  Nothing that is
# not its own is changed: what runs restic already is only named.
set -euo pipefail
umask 077

readonly NAME=restic-manager-agent
readonly UNIT=$NAME.service
readonly OLDEST_RESTIC=0.14

say()
{
	printf '%s\n' "$*"
}

warn()
{
	printf 'install.sh: warning: %s\n' "$*" >&2
}

die()
{
	printf 'install.sh: %s\n' "$*" >&2
	exit 1
}

has()
{
	command -v "$1" >/dev/null 2>&1
}

# ---------------------------------------------------------------- settings

# The token leaves the environment here, so that no program started below
# inherits it.
read_settings()
{
	server=${RM_SERVER:-}
	server=${server%/}
	token=${RM_TOKEN:-${RM_ENROL_TOKEN:-}}
	pin=${RM_PIN:-}
	unset RM_TOKEN RM_ENROL_TOKEN
	root=${RM_ROOT:-}
	root=${root%/}
	config_dir=${RM_CONFIG_DIR:-/etc/restic-manager}
	state_dir=${RM_STATE_DIR:-/var/lib/restic-manager-agent}
	config=$root$config_dir/agent.yaml
	program=$root/usr/local/bin/$NAME
	unit_file=$root/etc/systemd/system/$UNIT
	[ -n "$server" ] ||
		die "RM_SERVER is not set: give the controller's address," \
			"as in RM_SERVER=https://backup.example.net:8443"
	case $server in
	https://?*) ;;
	http://127.0.0.1:* | http://localhost:* | http://\[::1\]:*) ;;
	*) die "RM_SERVER=$server: it must begin with https://" ;;
	esac
	local path
	for path in "$config_dir" "$state_dir" "${root:-/}"; do
		[[ $path =~ ^/[A-Za-z0-9._/-]*$ ]] ||
			die "$path: folders must be absolute paths of" \
				"letters, digits and . _ - /"
	done
}

hex_to_base64()
{
	local hex=$1 i
	for ((i = 0; i < ${#hex}; i += 2)); do
		# shellcheck disable=SC2059 # the escape is the format
		printf "\\x${hex:i:2}"
	done | base64 -w0
}

# curl accepts the controller by its key: no signature is asked for then.
read_pin()
{
	local shape='^[A-Za-z0-9_-]{43}\.([A-Za-z0-9_-]{43})$' key=
	curl_trust=()
	if [ -n "$token" ]; then
		[[ $token =~ $shape ]] ||
			die "RM_TOKEN is malformed; copy the whole command"
		key=$(tr '_-' '/+' <<<"${BASH_REMATCH[1]}")=
	elif [ -n "$pin" ]; then
		[[ $pin =~ ^[0-9A-Fa-f]{64}$ ]] ||
			die "RM_PIN must be 64 hex digits"
		key=$(hex_to_base64 "$pin")
	fi
	[ -z "$key" ] ||
		curl_trust=(--insecure --pinnedpubkey "sha256//$key")
}

# ------------------------------------------------------------------ checks

check_tools()
{
	local tool missing=()
	[ "$(id -u)" -eq 0 ] || die "run it as root (with sudo)"
	[ "$(uname -s)" = Linux ] || die "this script is for Linux"
	for tool in curl sha256sum install mktemp base64 tr sed grep; do
		has "$tool" || missing+=("$tool")
	done
	[ ${#missing[@]} -eq 0 ] ||
		die "not found: ${missing[*]}; install them and try again"
	case $(uname -m) in
	x86_64 | amd64) arch=amd64 ;;
	aarch64 | arm64) arch=arm64 ;;
	*) die "there is no agent for $(uname -m), only amd64 and arm64" ;;
	esac
}

# Before the token is used: without restic the host could do nothing.
check_restic()
{
	local version
	has restic ||
		die "restic was not found. Install it first (apt-get install" \
			"restic, dnf install restic), then run this again;" \
			"the token was not used"
	version=$(restic version 2>/dev/null |
		sed -n 's/^restic \([0-9][0-9.]*\).*/\1/p')
	[ -n "$version" ] || die "'restic version' does not tell its version"
	[ "$(printf '%s\n' "$OLDEST_RESTIC" "$version" | sort -V |
		sed -n 1p)" = "$OLDEST_RESTIC" ] ||
		die "restic $version is too old, $OLDEST_RESTIC or later is" \
			"needed; the token was not used"
	say "restic $version found"
}

is_enrolled()
{
	grep -q '^host_id:' "$config" 2>/dev/null &&
		grep -q '^agent_token:' "$config"
}

# ---------------------------------------------------------------- download

fetch()
{
	local proto='=https'
	case $server in http://*) proto='=http' ;; esac
	curl --fail --silent --show-error --location --proto "$proto" \
		--connect-timeout 15 --max-time 600 --retry 2 \
		"${curl_trust[@]+"${curl_trust[@]}"}" -o "$2" "$server$1"
}

# A program that is whole and runs here replaces the old one at once.
install_program()
{
	local query="os=linux&arch=$arch" sum temp
	install -d -m 0755 "$root/usr/local/bin"
	temp=$(mktemp "$root/usr/local/bin/.$NAME.XXXXXX")
	temps+=("$temp")
	fetch "/agent/binary?$query" "$temp" ||
		die "the agent for linux-$arch could not be fetched from" \
			"$server; is it published there?"
	sum=$(fetch "/agent/binary.sha256?$query" -) ||
		die "the agent's checksum could not be fetched"
	[ "${sum%% *}" = "$(sha256sum <"$temp" | sed 's/ .*//')" ] ||
		die "the agent's checksum does not match: the download was" \
			"damaged or changed on the way"
	chmod 0755 "$temp"
	"$temp" -version ||
		die "the agent does not run on this system; it needs a C" \
			"library like that of Debian 12 or later"
	mv -f "$temp" "$program"
}

make_folders()
{
	install -d -m 0755 "$root$config_dir"
	install -d -m 0700 "$root$state_dir" "$root/root/rm-restore"
}

# ------------------------------------------------------------------- enrol

agent()
{
	RM_AGENT_CONFIG=$config RM_STATE_DIR=$root$state_dir "$program" "$@"
}

# The agent reads the token from a pipe: arguments are for all to see.
use_token()
{
	printf '%s\n' "$token" |
		agent -enroll-server "$server" -enroll-token -
}

# An agent that runs holds its queue; when this fails it goes on.
enrol_again()
{
	local kept
	say "Enrolling again: RM_FORCE_REENROLL is set"
	kept=$(mktemp "$root$config_dir/.agent.yaml.XXXXXX")
	temps+=("$kept")
	cp -p "$config" "$kept"
	! with_systemd || systemctl stop "$UNIT" || true
	use_token && return 0
	mv -f "$kept" "$config"
	! with_systemd || systemctl start "$UNIT" || true
	die "not enrolled again; the agent goes on as before"
}

enrol()
{
	if is_enrolled; then
		enrol_again
	elif [ -n "$token" ]; then
		use_token ||
			die "not enrolled; the same command may be given again"
	else
		announce ||
			die "not enrolled; the same command may be given again"
	fi
}

announce()
{
	say "No token: announcing this host to $server. Compare the" \
		"fingerprint below with the one on its dashboard, then accept."
	local options=()
	[ -z "$pin" ] || options=(-cert-pin "$pin")
	agent "${options[@]+"${options[@]}"}" -enroll-server "$server"
}

# ----------------------------------------------------------------- service

with_systemd()
{
	[ -d "$root/run/systemd/system" ] && has systemctl
}

# Other folders than the unit's own are told by a drop-in.
install_unit()
{
	local temp drop=$unit_file.d
	install -d -m 0755 "${unit_file%/*}"
	temp=$(mktemp "${unit_file%/*}/.$UNIT.XXXXXX")
	temps+=("$temp")
	fetch "/install/$UNIT" "$temp" ||
		die "the service unit could not be fetched from $server"
	chmod 0644 "$temp"
	mv -f "$temp" "$unit_file"
	rm -f "$drop/folders.conf"
	[ "$config_dir $state_dir" = \
		"/etc/restic-manager /var/lib/restic-manager-agent" ] || {
		install -d -m 0755 "$drop"
		cat >"$drop/folders.conf" <<-END
			[Unit]
			ConditionPathExists=
			ConditionPathExists=$config_dir/agent.yaml
			[Service]
			Environment=RM_AGENT_CONFIG=$config_dir/agent.yaml
			Environment=RM_STATE_DIR=$state_dir
			ReadWritePaths=$config_dir $state_dir
		END
		chmod 0644 "$drop/folders.conf"
	}
}

start_service()
{
	if ! with_systemd; then
		say "There is no systemd here. Start the agent as root from" \
			"your own service manager:"
		say "    RM_AGENT_CONFIG=$config_dir/agent.yaml" \
			"RM_STATE_DIR=$state_dir /usr/local/bin/$NAME run"
		return 0
	fi
	install_unit
	systemctl daemon-reload
	systemctl enable --now "$UNIT" ||
		die "the service does not start; look at: journalctl -u $NAME"
	say "The agent runs. Its log: journalctl -u $NAME"
}

# --------------------------------------------------- what is there already

found()
{
	if [ "$others" = 0 ]; then
		say ""
		say "restic is run on this host by something else too. It was" \
			"left alone; to end it:"
	fi
	others=1
	say "    $*"
}

# Those of the files that name restic outside of a comment.
files_that_run_restic()
{
	local file
	for file in "$@"; do
		[ -f "$file" ] || continue
		sed '/^[[:space:]]*#/d; s/restic-manager[a-z-]*//g' "$file" |
			grep -c restic >/dev/null || continue
		printf '%s\n' "$file"
	done
}

name_timers()
{
	local file timer folder unit
	for folder in /etc/systemd/system /lib/systemd/system \
		/usr/lib/systemd/system /run/systemd/system; do
		[ ! -L "$root${folder%%/systemd*}" ] || continue
		for file in "$root$folder"/*.timer; do
			[ -e "$file" ] || continue
			timer=${file##*/}
			case $timer in restic-manager-*) continue ;; esac
			unit=$(sed -n 's/^Unit=//p' "$file")
			[[ $timer == *restic* ]] ||
				[ -n "$(files_that_run_restic "$file" \
					"${file%/*}/${unit:-${timer%.timer}.service}")" ] ||
				continue
			found "systemctl disable --now $timer"
		done
	done
}

name_cron()
{
	local file
	while IFS= read -r file; do
		case $file in
		*/cron.d/*) found "mv $file ${file%/*}/.${file##*/}.disabled" ;;
		*) found "chmod -x $file" ;;
		esac
	done < <(files_that_run_restic "$root"/etc/cron.d/* \
		"$root"/etc/cron.daily/* "$root"/etc/cron.hourly/* \
		"$root"/etc/cron.weekly/* "$root"/etc/cron.monthly/* |
		sed "s,^$root,,")
	[ -z "$(files_that_run_restic "$root/etc/crontab")" ] ||
		found "sed -i.before '/restic/s/^/#/' /etc/crontab"
	if [ -n "$(files_that_run_restic \
		"$root/var/spool/cron/crontabs/root" \
		"$root/var/spool/cron/root")" ]; then
		found "crontab -u root -e   (put a # before the lines with restic)"
	fi
}

name_others()
{
	others=0
	name_timers
	name_cron
}

# -------------------------------------------------------------------- main

clean_up()
{
	[ ${#temps[@]} -eq 0 ] || rm -f "${temps[@]}"
}

main()
{
	temps=()
	trap clean_up EXIT
	read_settings
	check_tools
	if is_enrolled && [ "${RM_FORCE_REENROLL:-}" != 1 ]; then
		say "This host is enrolled already ($config);" \
			"nothing was changed."
		say "To enrol it anew, give RM_FORCE_REENROLL=1 as well."
		return 0
	fi
	! is_enrolled || [ -n "$token" ] ||
		die "this host is enrolled: RM_FORCE_REENROLL needs RM_TOKEN"
	read_pin
	check_restic
	make_folders
	install_program
	enrol
	start_service
	name_others
	say ""
	say "To remove it: systemctl disable --now $NAME; rm" \
		"/usr/local/bin/$NAME /etc/systemd/system/$UNIT;" \
		"rm -r $config_dir/agent.yaml $state_dir"
}

# The last line: a download that was cut short does nothing.
main "$@"
