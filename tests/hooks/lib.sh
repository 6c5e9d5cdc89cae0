# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# What the tests of boot loader hooks share: conformance on real state, and the campaign
# that kills a hook at each of its writes.  Source it after tests/lib.sh.
#
# A hook's test brings functions of its own:
#   FRESH    make new state, in which nothing may be booted
#   SAVE     put the state aside; RESTORE puts it back, exactly
#   JUDGE    print what the loader would boot now, a boot name or "none", and below it
#            all of the state that the loader or the hook goes by.  It reads as the
#            loader does, never by the hook.
# STATE_PATHS=(FILE…) limits the campaign to calls on these files: for a hook that runs
# programs, which would hide each other's calls (a kill counts in each process on its own).

# shellcheck disable=SC2034  # for the tests
HOOKS=$PREFIX/lib/osupdate/bootloader-hooks
STATE_PATHS=()
CONFORMANCE=$TOP/tests/hooks/conformance

# Calls that change what is on a disk, or settle it.
STATE_CALLS=(write pwrite64 writev pwritev pwritev2 sendfile copy_file_range
	rename renameat renameat2 link linkat symlink symlinkat unlink unlinkat
	mkdir mkdirat rmdir openat ftruncate truncate fallocate ioctl mount umount2
	sync syncfs fsync fdatasync sync_file_range msync)

# conforms LABEL FRESH [--names A,B] HOOK: each result of the conformance script.
conforms() {
	local label=$1 fresh=$2 status=0
	shift 2
	"$fresh"
	"$CONFORMANCE" "$@" >"$S/conformance.out" 2>&1 || status=$?
	sed "s/^\(not \)\?ok - /&$label: /" "$S/conformance.out"
	[ $status = 0 ] || FAILED=$((FAILED + 1))
}

# Whom to kill: the hook itself, and the first that comes there of it and what it runs.
FOLLOW=("" -f)

# traced LOG [strace option…] COMMAND…: with all calls that matter in LOG.
traced() {
	local log=$1 calls
	shift
	calls=$(printf ',?%s' "${STATE_CALLS[@]}")
	: >"$log"
	# LeakSanitizer cannot work below another tracer.  The inner shell keeps bash from
	# telling of each kill.
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0 \
		bash -c '"$@"; exit $?' bash strace -Y -qq -o "$log" -e trace="${calls#,}" \
		"$@" </dev/null >"$log.out" 2>&1
}

# points LOG: each call in it as "program call nth", counted as strace counts for when=;
# but none that only looks.
points() {
	sed -nE 's/^([0-9]+)<([^>]*)> +([a-z0-9_]+)\(/\1 \2 \3 (/p' "$1" | awk '
		{ nth = ++n[$1 " " $3] }
		$3 == "openat" && !/O_CREAT|O_TRUNC/ { next }
		$3 == "ioctl" && /TCGETS|TIOCGWINSZ/ { next }
		{ print $2, $3, nth }' | sort -u
}

# traced, but only calls on STATE_PATHS, if there are any.
traced_state() {
	local log=$1 paths=() path
	shift
	for path in "${STATE_PATHS[@]}"; do paths+=(-P "$path"); done
	traced "$log" "${paths[@]}" "$@"
}

# kill_at CALL N [-f] COMMAND…: kill the first of its processes that comes to its Nth CALL,
# before it is done.  False when none came so far.  Without -f only the hook itself.
kill_at() {
	local call=$1 n=$2
	shift 2
	traced_state "$S/killed.log" -e "inject=$call:signal=SIGKILL:when=$n" "$@" || true
	grep -q 'killed by SIGKILL' "$S/killed.log"
}

# Where the last kill hit: "program call nth".
killed_point() { # killed_point HOOK CALL N
	local program
	program=$(sed -nE 's/^[0-9]+<([^>]*)> .*killed by SIGKILL.*/\1/p' "$S/killed.log" | head -n 1)
	echo "${program:-${1##*/}} $2 $3"
}

# One kill: what would be booted now is the choice before or after, and the verb, repeated,
# ends as if nothing had happened.  Uses the variables of its caller.
judge_kill() {
	local seen choice
	seen=$("$judge") || seen="unreadable"
	choice=${seen%%$'\n'*}
	if [ "$choice" != "$before" ] && [ "$choice" != "$after" ]; then
		wrong+=("$1: boots $choice")
	fi
	if ! "${verb[@]}" >"$S/again.out" 2>&1; then
		wrong+=("$1: repeated: $(head -n 1 "$S/again.out")")
	elif seen=$("$judge") && [ "$seen" != "$final" ]; then
		wrong+=("$1: repeated, ends as: ${seen//$'\n'/, }")
	fi
}

# killed_at_each_write RESTORE JUDGE HOOK VERB…: the verb is killed before each call that
# changes or settles anything, in the hook and in each program that it runs.
killed_at_each_write() {
	local restore=$1 judge=$2 before after final call n follow missed
	local wrong=() calls verb=("${@:3}")
	local name="${3##*/} ${*:4}"

	"$restore"
	before=$("$judge" | sed -n 1p)
	if ! traced_state "$S/whole.log" -f "${verb[@]}"; then
		not_ok "$name: undisturbed: $(head -n 1 "$S/whole.log.out")"
		return 0
	fi
	final=$("$judge")
	after=${final%%$'\n'*}
	points "$S/whole.log" >"$S/points"
	[ ${#FOLLOW[@]} = 2 ] || sed -i "/^${3##*/} /!d" "$S/points"
	mapfile -t calls < <(awk '{ print $2 }' "$S/points" | sort -u)
	: >"$S/hit"
	for follow in "${FOLLOW[@]}"; do
		for call in "${calls[@]}"; do
			for ((n = 1; n <= 500; n++)); do
				"$restore"
				# shellcheck disable=SC2086  # nothing, or one option
				kill_at "$call" $n $follow "${verb[@]}" || break
				killed_point "$3" "$call" $n >>"$S/hit"
				judge_kill "killed at ${call} $n"
			done
		done
	done
	# strace counts in each process on its own, so a process may hide another's call.
	missed=$(sort -u "$S/hit" | comm -23 "$S/points" - | paste -sd, -)
	[ -z "$missed" ] || wrong+=("never killed at: $missed")
	[ -s "$S/hit" ] || wrong+=("never killed at all")
	if [ ${#wrong[@]} = 0 ]; then
		ok "$name: killed at $(wc -l <"$S/hit") points: boots $before or $after"
	else
		not_ok "$name: ${#wrong[@]} of $(wc -l <"$S/hit") kills went wrong"
		printf '#   %s\n' "${wrong[@]:0:10}"
	fi
}

# A verb whose first call was killed between write and sync must still sync.
syncs_again() { # syncs_again HOOK VERB…
	traced "$S/again.log" -f "$@" || true
	if grep -qE '(fsync|fdatasync|syncfs|sync)\(.*\) += 0$' "$S/again.log"; then
		ok "${1##*/} ${*:2}: repeated, it syncs"
	else
		not_ok "${1##*/} ${*:2}: repeated, nothing is synced"
	fi
}

# transition FROM TO BEFORE VERB: one campaign from the state that the verbs in BEFORE
# (separated by ;) make of a fresh one.  Uses the variables of its caller.
transition() {
	local verbs words
	"$fresh"
	IFS=';' read -ra verbs <<<"$3"
	for words in "${verbs[@]}"; do
		# shellcheck disable=SC2086  # words
		"$hook" $words
	done
	same "${hook##*/}: after $3: the loader's choice" "$("$judge" | sed -n 1p)" "$1"
	"$save"
	# shellcheck disable=SC2086  # words
	killed_at_each_write "$restore" "$judge" "$hook" $4
	"$restore"
	# shellcheck disable=SC2086  # words
	"$hook" $4
	same "${hook##*/}: $4: the loader's choice" "$("$judge" | sed -n 1p)" "$2"
	# shellcheck disable=SC2086  # words
	syncs_again "$hook" $4
}

# killed_transitions FRESH SAVE RESTORE JUDGE HOOK: everything osupdate asks of a hook.
killed_transitions() {
	local fresh=$1 save=$2 restore=$3 judge=$4 hook=$5
	local neither="set-state A bad;set-state B bad"
	local only_a="$neither;set-primary A;set-state A good"
	local trial="$only_a;set-primary B"

	transition none A "$neither" "set-primary A"
	transition A B "$only_a" "set-primary B"
	transition B B "$trial" "set-state B good"
	transition B A "$trial" "set-state B bad"
	transition B A "$trial;set-state B good" "set-primary A"
	transition A A "$trial;set-state B good;set-primary A" "set-state B bad"
	transition A B "$trial;set-state B good;set-primary A" "set-state A bad"
}
