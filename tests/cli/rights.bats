#!/usr/bin/env bats
# Runs under a policy as people type them: the refusal at the start, approvals, revisions of books, handover, elevations. Others are other users of the
# system, which takes root. limit: 240

setup() {
	[ "$(id -u)" = 0 ] || skip "being other users takes root"
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	BUILD=$(dirname "${RUNG:-$ROOT/build/rung}")
	W=$(mktemp -d /tmp/rung-rights-XXXXXX)
	chmod 755 "$W"
	# Programs that others may run, wherever the checkout stands.
	cp "$BUILD/rung" "$BUILD/rung-forkd" "$W/"
	RUNG=$W/rung
	export XDG_STATE_HOME=$W/xdg HOME=$W TZ=UTC GIT_CONFIG_GLOBAL=/dev/null
	unset RUNG_STATE NO_COLOR
	mkdir -p "$W/ws/.rung" "$W/ws/runbooks"
	cd "$W/ws"
	printf 'version: 1\nsocket: {path: %s/engine.sock, group: users}\n' "$W" >.rung/config.yaml
	cat >.rung/policy.yaml <<-YAML
	version: 1
	groups: {ops: [root, daemon], dba: [bin, sys]}
	services: {robot: {user: mail}}
	elevations: {break-glass: {who: [group:ops], for: 1h}}
	rules:
	  - {id: ops, allow: [run], who: [group:ops, service:robot], books: ["runbooks/**"], grants: ["sh touch *", "sh true"]}
	  - {id: look, allow: [read, approve-book], who: [group:dba, group:ops], books: ["**"]}
	YAML
	cat >runbooks/drop.md <<-BOOK
	# Drop

	**Author:** Sys

	## Permissions

	- \`sh touch *\`

	## Steps

	1. Drop it

	   \`\`\`lua {id=drop risk=destructive approve=1 from=dba targets="{'db1', 'db2'}" irreversible=x}
	   sh{"touch", "$W/dropped"}
	   \`\`\`
	BOOK
	cat >runbooks/wide.md <<-'BOOK'
	# Wide

	## Permissions

	- `sh cat **`

	## Steps

	1. Read it

	   ```lua {id=read}
	   sh{"cat", "/etc/hostname"}
	   ```
	BOOK
}

teardown() {
	pid=$W/ws/.rung/state/engine.pid
	if [ -e "$pid" ]; then
		p=$(cat "$pid")
		kill "$p" 2>/dev/null || true
		for _ in $(seq 500); do [ -d "/proc/$p" ] || break; sleep 0.01; done
	fi
	cd /
	rm -rf "$W"
}

as() {
	local name=$1
	shift
	setpriv --reuid="$name" --regid="$name" --groups=users "$@"
}

# Starts the book that waits for an approval; its id in X.
waiting() {
	X=$("$RUNG" run drop --auto --detach)
	for _ in $(seq 1000); do
		"$RUNG" log "$X" --json | grep -q approval.asked && return
		sleep 0.01
	done
	return 1
}

binding() {
	as bin "$RUNG" approve "$X" --show --json | sed -n 's/.*"binding": *"\([0-9a-f]*\)".*/\1/p'
}

@test "without the rights nothing runs, and everything that is missing is said" {
	run "$RUNG" run wide --auto
	[ "$status" -eq 4 ]
	[[ "$output" == *"sh cat **"*"Nothing was run"* ]]
	run as lp "$RUNG" run drop --auto
	[ "$status" -eq 4 ]
}

@test "an approval shows what would run, and counts for that alone" {
	waiting
	run as bin "$RUNG" approve "$X" drop --show
	[ "$status" -eq 0 ]
	[[ "$output" == *"Step drop, destructive"*'sh{"touch"'*"db1"*"db2"*"sh touch *"*"user:root"*"1 of dba"*"Digest"* ]]
	run as bin "$RUNG" approve "$X" drop --reason agreed
	[ "$status" -eq 2 ]
	[[ "$output" == *"--binding"* ]]
	run as bin "$RUNG" approve "$X" drop --reason agreed --targets 2 --binding "$(printf '0%.0s' $(seq 64))"
	[ "$status" -ne 0 ]
	[[ "$output" == *"has changed"* ]]
	run as bin "$RUNG" approve "$X" drop --reason agreed --targets 3 --binding "$(binding)"
	[ "$status" -eq 2 ]
	[ ! -e "$W/dropped" ]
	run as bin "$RUNG" approve "$X" drop --reason agreed --targets 2 --binding "$(binding)" --json
	[ "$status" -eq 0 ]
	[[ "$output" == *'"approved": true'* || "$output" == *'"approved":true'* ]]
	run "$RUNG" attach "$X"
	[ "$status" -eq 0 ]
	[ -e "$W/dropped" ]
	run "$RUNG" report "$X"
	[[ "$output" == *"agreed"*"allowed by ops"* ]]
}

@test "who waits is told whom for, and leaves with status 5" {
	run "$RUNG" run drop --auto
	[ "$status" -eq 5 ]
	[[ "$output" == *"waits until others agree: 1 of dba"*"rung approve"* ]]
}

@test "who started it and who wrote it do not approve it; a refusal denies it" {
	waiting
	run "$RUNG" approve "$X" --reason me --targets 2 --binding "$(binding)"
	[ "$status" -eq 4 ]
	[[ "$output" == *"started or drove"* ]]
	run as sys "$RUNG" approve "$X" --reason me --targets 2 --binding "$(binding)"
	[ "$status" -eq 4 ]
	[[ "$output" == *"wrote this book"* ]]
	run as bin "$RUNG" approve "$X" --refuse --reason "not today"
	[ "$status" -eq 0 ]
	run "$RUNG" attach "$X"
	[ "$status" -eq 4 ]
	[[ "$output" == *"not today"* ]]
	[ ! -e "$W/dropped" ]
}

@test "a service runs what somebody else approved, and no later edit" {
	sed -i 's/ approve=1 from=dba//' runbooks/drop.md
	# Another's engine is not started by strangers.
	run as mail "$RUNG" run runbooks/drop.md --auto
	[ "$status" -eq 4 ]
	[[ "$output" == *"no engine is running"*"whose it is"* ]]
	"$RUNG" run drop --auto
	run as mail "$RUNG" run runbooks/drop.md --auto
	[ "$status" -eq 4 ]
	[[ "$output" == *"approve-book"* ]]
	run as sys "$RUNG" approve-book runbooks/drop.md --reason "read it"
	[ "$status" -eq 4 ]
	run "$RUNG" approve-book runbooks/drop.md --reason "read it"
	[ "$status" -eq 0 ]
	run as mail "$RUNG" run runbooks/drop.md --auto
	[ "$status" -eq 0 ]
	echo >>runbooks/drop.md
	run as mail "$RUNG" run runbooks/drop.md --auto
	[ "$status" -eq 4 ]
}

@test "many books are approved by what changed since a revision" {
	git init -q . && git add runbooks .rung/policy.yaml && git -c user.name=t -c user.email=t@example.org commit -qm one
	echo >>runbooks/drop.md
	echo >>runbooks/wide.md
	run "$RUNG" approve-book --since HEAD --reason "read both" --json
	[ "$status" -eq 0 ]
	[[ "$output" == *"drop.md"* && "$output" == *"wide.md"* ]]
	run "$RUNG" approve-book --since nonsense --reason x
	[ "$status" -ne 0 ]
	run "$RUNG" approve-book --since --help
	[ "$status" -eq 2 ]
	run "$RUNG" approve-book --reason x
	[ "$status" -eq 2 ]
}

@test "handed over, it is the other's; taken back by resume" {
	waiting
	run "$RUNG" handover "$X" --to daemon --reason "my shift is over"
	[ "$status" -eq 0 ]
	run "$RUNG" handover "$X" --to bin
	[ "$status" -eq 4 ]
	[[ "$output" == *"user:daemon drives"* ]]
	run as bin "$RUNG" cancel "$X"
	[ "$status" -eq 4 ]
	run as daemon "$RUNG" handover "$X" --to root
	[ "$status" -eq 0 ]
	run "$RUNG" handover "$X"
	[ "$status" -eq 2 ]
}

@test "the glass is broken with a reason, and somebody else looks at it" {
	sed -i 's/ approve=1 from=dba//' runbooks/drop.md
	printf '  - {id: freeze, deny: [run], when: {risk: destructive}, unless: {grant: break-glass}}\n' >>.rung/policy.yaml
	run "$RUNG" run drop --auto
	[ "$status" -eq 4 ]
	[[ "$output" == *"freeze"*"break-glass"* ]]
	run "$RUNG" run drop --auto --elevate break-glass
	[ "$status" -eq 2 ]
	run "$RUNG" run drop --auto --elevate break-glass --reason "the shop is down" --json
	[ "$status" -eq 0 ]
	X=$("$RUNG" log | awk '{print $1; exit}')
	run "$RUNG" review "$X" --reason fine
	[ "$status" -eq 4 ]
	run as bin "$RUNG" review "$X" --reason "it was needed"
	[ "$status" -eq 0 ]
	run "$RUNG" log "$X"
	[[ "$output" == *"right.elevated"*"elevation.reviewed"* ]]
	run "$RUNG" verify
	[ "$status" -eq 0 ]
}

@test "a grant that names a parameter is enough for a book that declares the same" {
	mkdir -p "$W/ws/runbooks"
	printf '# Same\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| file | string | %s/same | Where |\n\n## Permissions\n\n- `sh touch -- {param:file}`\n\n## Steps\n\n1. Touch it\n\n   ```lua {id=touch irreversible=x}\n   sh{"touch", "--", params.file}\n   ```\n' "$W" >runbooks/same.md
	sed -i 's/"sh true"\]/"sh true", "sh touch -- {param:file}"]/' .rung/policy.yaml
	run "$RUNG" run runbooks/same.md --auto
	[ "$status" -eq 0 ] || { echo "$output"; false; }
	[ -e "$W/same" ]
	# The same value under another name is another thing.
	sed -i 's/-- {param:file}"]/-- {param:other}"]/' .rung/policy.yaml
	run "$RUNG" run runbooks/same.md --auto
	[ "$status" -eq 4 ] || { echo "$output"; false; }
}
