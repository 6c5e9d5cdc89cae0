# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the demo and the integration tests share: a scratch directory that cleans up after
# itself, loop devices, a git server, a builder and a device.  Source it; then call
# `scratch`.  Nothing outside the scratch directory is touched.
set -euo pipefail

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PREFIX=${OSUPDATE_PREFIX:-$TOP/build/root-main}
# Debian's own programs, whatever else the machine has.
PATH=$PREFIX/bin:$PREFIX/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
LC_ALL=C
# No configuration of whoever runs this, and no identity but the tests' own.
GIT_CONFIG_NOSYSTEM=1
GIT_AUTHOR_NAME=Builder GIT_AUTHOR_EMAIL=builder@example.org
GIT_COMMITTER_NAME=Builder GIT_COMMITTER_EMAIL=builder@example.org
export PATH LC_ALL GIT_CONFIG_NOSYSTEM GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL \
	GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
umask 022

S=        # the scratch directory
LOOPS=()  # loop devices we attached
PIDS=()   # processes we started
MOUNTS=() # directories we mounted
FAILED=0

# --- results ------------------------------------------------------------------------

ok() { echo "ok - $*"; }
not_ok() {
	echo "not ok - $*"
	FAILED=$((FAILED + 1))
}
skip() { echo "ok - $* # SKIP"; }
note() { echo "# $*"; }

# check NAME COMMAND…: the command succeeds.
check() {
	local name=$1
	shift
	if "$@" >"$S/check.out" 2>&1; then
		ok "$name"
	else
		not_ok "$name (exit $?: $*)"
		sed 's/^/#   /' "$S/check.out" | head -n 40
	fi
}

# exits CODE NAME COMMAND…: it ends with this exit code; output stays in $S/check.out.
exits() {
	local want=$1 name=$2 got=0
	shift 2
	"$@" >"$S/check.out" 2>&1 || got=$?
	if [ "$got" = "$want" ]; then
		ok "$name"
	else
		not_ok "$name (exit $got, not $want: $*)"
		sed 's/^/#   /' "$S/check.out" | head -n 40
	fi
}

# says TEXT NAME: the last `check` or `exits` printed this.
says() {
	if grep -qF -- "$1" "$S/check.out"; then
		ok "$2"
	else
		not_ok "$2: no \"$1\" in its output"
		sed 's/^/#   /' "$S/check.out" | head -n 20
	fi
}

same() { # same NAME A B: two strings are equal
	if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1: \"$2\" is not \"$3\""; fi
}

# --- the scratch directory ------------------------------------------------------------

cleanup() {
	local status=$? i
	trap - EXIT
	set +e
	for ((i = ${#PIDS[@]} - 1; i >= 0; i--)); do
		kill "${PIDS[i]}" 2>/dev/null && wait "${PIDS[i]}" 2>/dev/null
	done
	for ((i = ${#MOUNTS[@]} - 1; i >= 0; i--)); do umount "${MOUNTS[i]}" 2>/dev/null; done
	for i in "${LOOPS[@]}"; do losetup -d "$i" 2>/dev/null; done
	if [ -n "$S" ] && [ -z "${OSUPDATE_KEEP:-}" ]; then
		chattr -R -i "$S" 2>/dev/null
		rm -rf --one-file-system "$S"
	fi
	[ "$status" != 0 ] && echo "not ok - ${0##*/} ended early (exit $status)"
	[ "$status" = 0 ] && [ $FAILED != 0 ] && status=1
	exit $status
}

scratch() {
	# On a disk, not on a tmpfs: slots and repositories are as large as systems.
	S=$(mktemp -d "${OSUPDATE_TMP:-/var/tmp}/osupdate-test.XXXXXX")
	chmod 755 "$S"
	HOME=$S/home
	export HOME
	mkdir "$HOME"
	git config --global safe.directory '*'
	git config --global init.defaultBranch main
	trap cleanup EXIT
	trap 'exit 130' INT TERM
}

# started PID: stop it at the end.
started() { PIDS+=("$1"); }

stop() { # stop PID: now
	kill "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
	local tries=$(($1 * 20))
	shift
	while ! "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# --- slots ----------------------------------------------------------------------------

# loop SIZE FILE: sets LOOP to a new loop device over a new sparse file.
loop() {
	truncate -s "$1" "$2"
	LOOP=$(losetup --find --show "$2")
	LOOPS+=("$LOOP")
}

# mount_slot DEVICE DIR: for looking at, read-only.
mount_slot() {
	mkdir -p "$2"
	mount -o ro,noload -t ext4 "$1" "$2"
	MOUNTS+=("$2")
}
unmount() {
	umount "$1"
	local left=() m
	for m in "${MOUNTS[@]}"; do [ "$m" = "$1" ] || left+=("$m"); done
	MOUNTS=("${left[@]}")
}

# --- keys -----------------------------------------------------------------------------

# key NAME: an ed25519 key in $S/keys.
key() {
	mkdir -p "$S/keys"
	ssh-keygen -q -t ed25519 -N '' -C "$1" -f "$S/keys/$1"
}

# signers NAME… : prints an allowed_signers file for these keys.
signers() {
	local k
	for k; do echo "$k@example.org namespaces=\"git\" $(cut -d' ' -f1,2 "$S/keys/$k.pub")"; done
}

# --- the server -----------------------------------------------------------------------

free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# serve DIR: git-http-backend behind lighttpd on loopback; sets URL and SERVER_PID.
serve() {
	local port
	port=$(free_port)
	cat >"$S/lighttpd.conf" <<-CONF
		server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
		server.document-root = "$1"
		server.bind = "127.0.0.1"
		server.port = $port
		server.errorlog = "$S/lighttpd.log"
		server.upload-dirs = ("$S")
		alias.url = ("/git/" => "/usr/lib/git-core/git-http-backend/")
		cgi.assign = ("" => "")
		setenv.set-environment = ("GIT_PROJECT_ROOT" => "$1", "GIT_HTTP_EXPORT_ALL" => "1",
			"HOME" => "$HOME")
	CONF
	lighttpd -D -f "$S/lighttpd.conf" >"$S/lighttpd.out" 2>&1 &
	SERVER_PID=$!
	started $SERVER_PID
	URL=http://127.0.0.1:$port/git
	wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# serve_files DIR: nginx on loopback, files alone, as they would be served to a fleet; sets
# FILES_URL, FILES_PID and the log FILES_LOG: a line a request, "status bytes-of-body uri".
serve_files() {
	local port
	port=$(free_port)
	FILES_LOG=$S/files-$port.log
	mkdir -p "$S/nginx-$port"
	cat >"$S/nginx-$port/conf" <<-CONF
		user root;
		daemon off;
		worker_processes 1;
		pid $S/nginx-$port/pid;
		error_log $S/nginx-$port/error.log;
		events { worker_connections 2048; }
		http {
			log_format plain '\$status \$body_bytes_sent \$request_uri';
			access_log $FILES_LOG plain;
			client_body_temp_path $S/nginx-$port/body;
			fastcgi_temp_path $S/nginx-$port/fastcgi;
			proxy_temp_path $S/nginx-$port/proxy;
			uwsgi_temp_path $S/nginx-$port/uwsgi;
			scgi_temp_path $S/nginx-$port/scgi;
			sendfile on;
			keepalive_requests 1000000;
			server { listen 127.0.0.1:$port; root $1; }
		}
	CONF
	nginx -p "$S/nginx-$port" -e "$S/nginx-$port/error.log" -c "$S/nginx-$port/conf" &
	FILES_PID=$!
	started $FILES_PID
	# shellcheck disable=SC2034  # for whoever has sourced this
	FILES_URL=http://127.0.0.1:$port
	wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
}

# serve_git DIR [LINE…]: git-http-backend behind nginx, as updater/doc/operations.md has it;
# sets URL and what serve_files sets. More lines for the server may follow.
serve_git() {
	local port dir=$1
	shift
	port=$(free_port)
	FILES_LOG=$S/git-$port.log
	mkdir -p "$S/nginx-$port"
	env -i PATH="$PATH" HOME="$HOME" fcgiwrap -s "unix:$S/nginx-$port/fcgi" &
	started $!
	cat >"$S/nginx-$port/conf" <<-CONF
		user root;
		daemon off;
		worker_processes 1;
		pid $S/nginx-$port/pid;
		error_log $S/nginx-$port/error.log;
		events {}
		http {
			log_format plain '\$status \$body_bytes_sent \$request_uri';
			access_log $FILES_LOG plain;
			client_body_temp_path $S/nginx-$port/body;
			fastcgi_temp_path $S/nginx-$port/fastcgi;
			proxy_temp_path $S/nginx-$port/proxy;
			uwsgi_temp_path $S/nginx-$port/uwsgi;
			scgi_temp_path $S/nginx-$port/scgi;
			server {
				listen 127.0.0.1:$port;
				$(printf '%s\n' "$@")
				location ~ ^/git(/.+/(info/refs|git-upload-pack))\$ {
					include /etc/nginx/fastcgi_params;
					fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
					fastcgi_param GIT_PROJECT_ROOT $dir;
					fastcgi_param GIT_HTTP_EXPORT_ALL "";
					fastcgi_param PATH_INFO \$1;
					fastcgi_param REMOTE_USER \$remote_user;
					fastcgi_buffering off;
					fastcgi_pass unix:$S/nginx-$port/fcgi;
				}
			}
		}
	CONF
	nginx -p "$S/nginx-$port" -e "$S/nginx-$port/error.log" -c "$S/nginx-$port/conf" &
	FILES_PID=$!
	started $FILES_PID
	# shellcheck disable=SC2034  # for whoever has sourced this
	FILES_URL=http://127.0.0.1:$port
	URL=$FILES_URL/git
	wait_for 10 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
	wait_for 10 test -S "$S/nginx-$port/fcgi"
}

# sent: bytes of all bodies so far, once the log is still.
sent() {
	sleep 0.15
	awk '{s += $2} END {printf "%.0f", s}' "$FILES_LOG"
}

# --- the builder ----------------------------------------------------------------------

# repository: a bare one for releases at $S/srv/os.git.
repository() {
	mkdir -p "$S/srv"
	git osupdate init --bare "$S/srv/os.git" >/dev/null
}

# commit VERSION SOURCE [OPTION…]: onto branch stable, signed by $KEY (default: builder).
commit() {
	local version=$1 source=$2
	shift 2
	git --git-dir="$S/srv/os.git" osupdate commit --branch "${BRANCH:-stable}" \
		--product "${PRODUCT:-kiosk-amd64}" --version "$version" \
		--key "$S/keys/${KEY:-builder}" "$@" "$source"
}

# publish REV [OPTION…]: release streams for a static server, in $S/www.
publish() {
	local rev=$1
	shift
	git osupdate publish --repo "$S/srv/os.git" --to "$S/www" --channel stable "$@" "$rev"
}

# --- the device -----------------------------------------------------------------------

# device SIZE: two slots of that size, a grubenv, a configuration; sets A and B.
device() {
	loop "$1" "$S/slot-a.img"
	A=$LOOP
	loop "$1" "$S/slot-b.img"
	B=$LOOP
	mkdir -p "$S/etc" "$S/boot" "$S/state"
	grub-editenv "$S/boot/grubenv" create
	grub-editenv "$S/boot/grubenv" set "ORDER=A B" A_OK=0 A_TRY=0 B_OK=0 B_TRY=0
	signers "${KEY:-builder}" >"$S/etc/allowed_signers"
	# shellcheck disable=SC2119
	configure
}

# shellcheck disable=SC2120  # arguments are for some tests only
# configure: writes $S/etc/osupdate.conf; lines for [update] may follow as arguments.
configure() {
	{
		echo "[update]"
		[ -n "${NO_GIT:-}" ] || echo "url = ${REPO_URL:-$URL/os.git}"
		echo "channel = stable"
		echo "product = kiosk-amd64"
		# This machine was powered on long before any "boot" of a test.
		echo "trial-timeout = ${TRIAL_TIMEOUT:-366d}"
		printf '%s\n' "$@"
		echo "[paths]"
		echo "state = $S/state"
		echo "signers = $S/etc/allowed_signers"
		echo "[boot]"
		echo "hook = ${HOOK:-grub}"
		echo "grubenv = $S/boot/grubenv"
		echo "[slot A]"
		echo "device = $A"
		echo "[slot B]"
		echo "device = $B"
	} >"$S/etc/osupdate.conf"
	chmod 644 "$S/etc/osupdate.conf" "$S/etc/allowed_signers"
}

# A new kernel boot is a new boot id; the slot is what the loader would have chosen.
BOOTED=none
BOOT_ID=
# What the device's clock says, UTC ("2099-01-01 00:00:00"); empty: the machine's own.
CLOCK=

# in_boot COMMAND…: in the boot we are in, by the device's clock. Only the time of day is
# another one: how long things take, and the times of files, are the machine's.
in_boot() {
	local lib=(/usr/lib/*/faketime/libfaketime.so.1) clock=()
	[ -z "$CLOCK" ] || clock=(env TZ=UTC LD_PRELOAD="${lib[0]}" FAKETIME="@$CLOCK"
		FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1)
	if [ -z "$BOOT_ID" ]; then
		"${clock[@]}" "$@"
	else
		# shellcheck disable=SC2016  # expanded by the inner shell
		unshare -m --propagation private sh -c \
			'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"' \
			sh "$BOOT_ID" "${clock[@]}" "$@"
	fi
}

# osu VERB…: osupdate on the device.
osu() {
	in_boot osupdate --config "$S/etc/osupdate.conf" --booted "$BOOTED" "--progress=${PROGRESS:-none}" "$@"
}

grubenv() { grub-editenv "$S/boot/grubenv" list | sed -n "s/^$1=//p"; }

# What GRUB would do now: the first of ORDER that is confirmed or has attempts left.
loader_choice() {
	local name
	for name in $(grubenv ORDER); do
		if [ "$(grubenv "${name}_OK")" = 1 ] || [ "$(grubenv "${name}_TRY")" -gt 0 ]; then
			echo "$name"
			return
		fi
	done
	echo none
}

# shellcheck disable=SC2120
# boot [NAME]: as GRUB does it (counting an attempt), or into NAME as after a fallback.
boot() {
	local name=${1:-$(loader_choice)}
	if [ $# = 0 ] && [ "$(grubenv "${name}_OK")" != 1 ]; then
		grub-editenv "$S/boot/grubenv" set "${name}_TRY=$(($(grubenv "${name}_TRY") - 1))"
	fi
	BOOTED=$name
	BOOT_ID=$(mktemp "$S/boot-id.XXXXXX")
	cat /proc/sys/kernel/random/uuid >"$BOOT_ID"
}

# provision RELEASE: the first installation, into slot A, and boot it.
provision() {
	BOOTED=none
	BOOT_ID=
	osu fetch >"$S/provision.out" 2>&1
	osu install --slot A "$1" >>"$S/provision.out" 2>&1
	# shellcheck disable=SC2119
	boot
}

json() { osu status --json | jq -r "$1"; }
device_of() { if [ "$1" = A ]; then echo "$A"; else echo "$B"; fi; }

# --- root file systems ----------------------------------------------------------------

# small_root DIR [TEXT]: at most 60 entries of every type.
small_root() {
	local d=$1 i
	mkdir -p "$d"/{bin,dev,etc/ssl,usr/lib/osupdate,usr/share/many,var/empty,tmp,boot}
	echo "version ${2:-1}" >"$d/etc/os-release"
	echo "same in all" >"$d/etc/hostname"
	echo "text ${2:-1}" >"$d/usr/share/text"
	head -c 200000 /dev/zero | tr '\0' "${2:-1}" >"$d/usr/share/large"
	for i in $(seq 1 12); do echo "file $i" >"$d/usr/share/many/$i"; done
	echo "changes to ${2:-1}" >"$d/usr/share/many/changing"
	echo '#!/bin/sh' >"$d/bin/sh"
	chmod 755 "$d/bin/sh"
	cp "$d/bin/sh" "$d/bin/su"
	chmod 4755 "$d/bin/su"
	ln -s sh "$d/bin/dash"
	ln "$d/bin/sh" "$d/bin/bash"
	mkfifo "$d/dev/initctl"
	mknod -m 666 "$d/dev/null" c 1 3
	mknod -m 660 "$d/dev/loop9" b 7 9
	chmod 1777 "$d/tmp"
	chown 1000:1000 "$d/var/empty"
	setfattr -n user.note -v "of ${2:-1}" "$d/etc/hostname"
	setfacl -d -m u:1000:rx "$d/etc/ssl"
	: >"$d/etc/empty"
	find "$d" -exec touch -h -d '2026-01-02 03:04:05.678901234Z' {} +
}

# debian_root FILE [mmdebstrap option…]: a tar of a minimal Debian of this machine's
# release, from this machine's own package sources.
debian_root() {
	local file=$1
	shift
	mmdebstrap --quiet --variant=minbase --mode=root "$@" \
		"$(. /etc/os-release && echo "$VERSION_CODENAME")" "$file" \
		>"$file.log" 2>&1 || {
		tail -n 5 "$file.log" >&2
		return 1
	}
}

# cached_debian NAME [mmdebstrap option…]: the same, made once and kept in build/cache for
# the other tests; sets TAR_FILE.
cached_debian() {
	local name=$1
	shift
	TAR_FILE=$TOP/build/cache/$name.tar
	[ -s "$TAR_FILE" ] && return
	mkdir -p "$TOP/build/cache"
	debian_root "$S/$name.tar" "$@" && mv "$S/$name.tar" "$TAR_FILE"
}

# Packages of many small files, which take a minimal Debian past 25,000 entries.
many_files_packages() {
	local headers common
	headers=$(apt-cache depends "linux-headers-$(dpkg --print-architecture)" |
		sed -n 's/.*Depends: \(linux-headers-.*\)/\1/p' | head -n 1)
	common=$(apt-cache depends "$headers" |
		sed -n 's/.*Depends: \(linux-headers-.*-common\)/\1/p' | head -n 1)
	echo "$common,$common-rt"
}
