# shellcheck shell=sh disable=SC2016,SC2086,SC2034,SC2015,SC2209
# Runs a command under a receipt: once for its key; asked again with the same key, it answers from what was kept.
#
#   sh -c THIS rung-receipt first|again FOLDER EXECUTION CALL PATH [WORD...]
#
# Ends with the command's exit status where that is known; by SIGUSR1 where nobody knows what became of it; by SIGUSR2 where nothing was run. Of the last two
# the last line of its standard error says why. So whatever ends this process but itself leaves the outcome unknown, as it is.
#
# FOLDER/EXECUTION/CALL holds
#   claim/who    the process that runs it: claim/ is made with mkdir, by one only
#   claim/runs   the command's process
#   finish       "STATUS whole|cut", the last thing written
#   stdout, stderr

# Its own messages go to 3: what a shell says of a child that was killed is no output of the command.
exec 3>&2 2>/dev/null
umask 077
rung_mode=$1 rung_root=$2 rung_floor=$2/$3 rung_room=$2/$3/$4 rung_self=$$
shift 4
rung_fate=nothing rung_stopped=

# However this shell ends, a failed fork of its own too: it says only what it knows.
trap 'case $rung_fate in known) ;; nothing) trap - USR2; kill -USR2 $$ ;; *) trap - USR1; kill -USR1 $$ ;; esac' EXIT
trap rung_stopped=1 HUP INT TERM
trap : USR1 USR2 PIPE XFSZ

rung_end() {
	echo "receipt: $1" >&3
	exit 1
}

rung_stop() {
	rung_fate=known
	trap - TERM EXIT
	kill -TERM $$
}

rung_boot() {
	rung_is=-
	if [ -r /proc/sys/kernel/random/boot_id ]; then read -r rung_is </proc/sys/kernel/random/boot_id; fi
}

# The start of process $1, in rung_is; "-" on a host without /proc. Fails where it has gone.
rung_start() {
	rung_is=-
	if [ ! -r /proc/self/stat ]; then
		kill -0 "$1"
		return
	fi
	rung_line=
	read -r rung_line <"/proc/$1/stat" || return 1
	set -- ${rung_line##*) }
	[ "$1" != Z ] && [ $# -ge 20 ] || return 1
	shift 19
	rung_is=$1
}

# Writes which process $1 is to file $2.
rung_note() {
	rung_start "$1" || return 1
	set -- "$1" "$rung_is" "$2"
	rung_boot
	echo "$1 $2 $rung_is" >"$3"
}

# Does the process that file $1 names still run?
rung_runs() {
	read -r rung_pid rung_since rung_booted <"$1" || return 1
	rung_boot
	[ "$rung_is" = "$rung_booted" ] && rung_start "$rung_pid" && [ "$rung_is" = "$rung_since" ]
}

# It is not known how it ended: what it had printed by then, as far as it was kept.
rung_lost() {
	cat "$rung_room/stdout"
	cat "$rung_room/stderr" >&3
	rung_end "the command was begun, its end was not written down, and it does not run any more"
}

# What is kept. While the one who claimed it lives, or what it runs, there may be more to come.
rung_answer() {
	rung_fate=unknown rung_patience=3
	while [ ! -f "$rung_room/finish" ]; do
		[ -z "$rung_stopped" ] || rung_stop
		if ! rung_runs "$rung_room/claim/who" && ! rung_runs "$rung_room/claim/runs"; then
			# A claim that does not say yet whose it is may be a moment old.
			if [ -s "$rung_room/claim/who" ] || [ "$rung_patience" -eq 0 ]; then
				[ -f "$rung_room/finish" ] || rung_lost
			fi
			rung_patience=$((rung_patience - 1))
		fi
		[ -f "$rung_room/finish" ] || sleep 1
	done
	read -r rung_status rung_extent rung_rest <"$rung_room/finish" || rung_end "$rung_room/finish cannot be read"
	cat "$rung_room/stdout" || rung_end "$rung_room/stdout cannot be read"
	cat "$rung_room/stderr" >&3 || rung_end "$rung_room/stderr cannot be read"
	[ "$rung_extent" = whole ] || echo "receipt: the end of what the command printed was not kept" >&3
	rung_fate=known
	exit "$rung_status"
}

# The room of this key, on the disk, with what the end will need: on a full disk nothing runs.
rung_prepare() {
	if [ "$rung_mode" = first ]; then
		mkdir -p "$rung_root" || rung_end "the folder of receipts $rung_root cannot be made: nothing was run"
		[ -d "$rung_floor" ] || find "$rung_root/." ! -name . -prune -mtime +7 -exec rm -rf {} +
	fi
	mkdir -p "$rung_room" && printf '%64s\n' '' >"$rung_room/finish.$$" && : >"$rung_room/stdout.$$" && : >"$rung_room/stderr.$$" &&
		mkfifo "$rung_room/1.$$" "$rung_room/2.$$" && sync "$rung_room/finish.$$" "$rung_room" "$rung_floor" "$rung_root" ||
		rung_end "no receipt can be kept in $rung_room: nothing was run"
}

# By one only, and on the disk before the command runs.
rung_claim() {
	if ! mkdir "$rung_room/claim"; then
		[ ! -d "$rung_room/claim" ] || rung_answer
		rung_end "no receipt can be kept in $rung_room: nothing was run"
	fi
	if ! rung_note $$ "$rung_room/claim/who" || ! sync "$rung_room/claim/who" "$rung_room/claim" "$rung_room"; then
		rm -rf "$rung_room/claim"
		rung_end "no receipt can be kept in $rung_room: nothing was run"
	fi
	mv "$rung_room/stdout.$$" "$rung_room/stdout" && mv "$rung_room/stderr.$$" "$rung_room/stderr" || rung_end "$rung_room cannot be written: nothing was run"
}

# What comes through pipe $1 goes on, and into file $2 up to 16 MiB: more than the engine keeps of it. Neither a full disk nor a reader that has gone stops it.
rung_keep() {
	trap '' HUP INT TERM PIPE XFSZ
	ulimit -f 32768
	exec tee "$2" <"$1" 3>&-
}

# Waits for process $1, whatever signals come; fails where that did.
rung_wait() {
	wait "$1"
	rung_is=$?
	while kill -0 "$1"; do
		wait "$1"
		rung_is=$?
	done
	return $rung_is
}

rung_finish() {
	rung_whole=whole
	# What the command left running holds its pipes: a second for that.
	(
		sleep 1
		kill -9 "$rung_out" "$rung_err"
	) </dev/null >/dev/null 3>&- &
	rung_guard=$!
	rung_wait "$rung_out" || rung_whole=cut
	rung_wait "$rung_err" || rung_whole=cut
	kill "$rung_guard"
	rm -f "$rung_room/1.$$" "$rung_room/2.$$"
	# Ended from outside: what it had done by then nobody knows.
	if [ -n "$rung_stopped" ] && [ "$1" -gt 128 ]; then rung_stop; fi
	printf '%-64s\n' "$1 $rung_whole" 1<>"$rung_room/finish.$$" && sync "$rung_room/stdout" "$rung_room/stderr" "$rung_room/finish.$$" &&
		mv "$rung_room/finish.$$" "$rung_room/finish" && sync "$rung_room"
	rung_fate=known
	exit "$1"
}

[ ! -d "$rung_room/claim" ] || rung_answer
if [ "$rung_mode" = again ] && [ ! -d "$rung_root" ]; then
	rung_fate=unknown
	rung_end "the folder of receipts $rung_root is not there any more"
fi
rung_prepare
rung_claim
rung_fate=unknown
rung_keep "$rung_room/1.$$" "$rung_room/stdout" &
rung_out=$!
rung_keep "$rung_room/2.$$" "$rung_room/stderr" >&3 &
rung_err=$!
(
	rung_is=-
	if [ -r /proc/self/stat ]; then read -r rung_is rung_rest </proc/self/stat; else rung_is=$(sh -c 'echo $PPID'); fi
	rung_note "$rung_is" "$rung_room/claim/runs" || exit 125
	exec "$@"
) >"$rung_room/1.$rung_self" 2>"$rung_room/2.$rung_self" 3>&-
rung_status=$?
if [ ! -s "$rung_room/claim/runs" ]; then
	kill -9 "$rung_out" "$rung_err"
	[ -n "$rung_stopped" ] || rung_fate=nothing
	rung_end "no receipt can be kept in $rung_room: nothing was run"
fi
rung_finish "$rung_status"
