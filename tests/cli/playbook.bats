#!/usr/bin/env bats
# A playbook on the command line: what it found, the runbook that it started and waits for, exit statuses, the log and the report.

setup() {
	RUNG=${RUNG:-build/san/rung}
	RUNG=$(realpath "$RUNG")
	W=$(mktemp -d)
	export XDG_STATE_HOME=$W/xdg
	cd "$W"
	mkdir -p .rung runbooks playbooks
	printf '# Mend\n\n## Runbook Info\n\n| Runbook ID |\n|---|\n| RUN003 |\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| path | string | | Where |\n\n## Permissions\n\n- `sh echo *`\n\n## Steps\n\n%s\n' \
		'1. Mend it

   ```lua {id=mend irreversible="gone"}
   sh{"echo", params.path}
   return {freed = 7}
   ```' >runbooks/mend.md
	playbook automatic 'cause("full", {evidence = {path = "/srv"}, certainty = 0.9})'
}

teardown() {
	[ ! -e .rung/state/engine.pid ] || kill "$(cat .rung/state/engine.pid)" || true
	cd /
	rm -rf "$W"
}

# Its row says so, and its step calls that.
playbook() {
	printf '# Slow\n\n## Playbook Info\n\n| Playbook ID |\n|---|\n| PLAY001 |\n\n## Permissions\n\n- read: `sh echo *`\n\n## Diagnosis\n\n1. Look\n\n   ```lua {id=look}\n   evidence("disk", {percent = 97})\n   %s\n   ```\n\n## Root Causes\n\n| Cause | Runbook | Automatic or ask | Parameters |\n|---|---|---|---|\n| `full`: it is full | RUN003 | %s | path={evidence:path} |\n' "$2" "$1" >playbooks/slow.md
}

value() { python3 -c 'import json, sys; r = json.load(sys.stdin); print(eval(sys.argv[1]))' "$1"; }

@test "a cause leads to its runbook, and the end says so" {
	run "$RUNG" run playbooks/slow.md --auto --allow declared
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"found disk: percent 97"* && $output == *"cause full (90 %): path /srv"* && $output == *"runbook RUN003 succeeded: rung log "* ]]
	[[ $output == *"the cause was found, and its runbook succeeded: full"* ]]
	run "$RUNG" log
	[[ $output == *"< Mend"* && $output == *"Slow"* ]]
}

@test "with --json there is what was found and what it came to" {
	output=$("$RUNG" run playbooks/slow.md --auto --allow declared --json 2>/dev/null)
	[ "$(value 'r["conclusion"]["outcome"], r["conclusion"]["cause"], [f["kind"] for f in r["findings"]], r["children"][0]["state"]' <<<"$output")" = "('mended', 'full', ['evidence', 'cause'], 'succeeded')" ]
	x=$(value 'r["execution"]' <<<"$output")
	"$RUNG" report "$x" --json | value 'r["report"]["conclusion"]["outcome"] if "report" in r else r["conclusion"]["outcome"]' | grep -q mended
	run "$RUNG" report "$x"
	[[ $output == *"## What was found"* && $output == *"| cause | full | 90 % | look |"* && $output == *"## Runbooks that it started"* && $output == *"| Came to | mended |"* ]]
}

@test "no cause is no failure, and is said" {
	playbook automatic 'if not params then cause("full") end'
	run "$RUNG" run playbooks/slow.md --auto --allow declared
	[ "$status" -eq 0 ]
	[[ $output == *"no root cause was found"* ]] || { echo "$output"; false; }
}

@test "a question of the playbook and a person's step of the runbook are exit status 5" {
	playbook ask 'cause("full", {evidence = {path = "/srv"}})'
	run "$RUNG" run playbooks/slow.md --auto --allow declared
	[ "$status" -eq 5 ]
	[[ $output == *"The cause is full. Run Mend (RUN003)? Parameters: path=/srv"* ]] || { echo "$output"; false; }
	playbook automatic 'cause("full", {evidence = {path = "/srv"}})'
	printf '\n2. Ask the owner\n' >>runbooks/mend.md
	run "$RUNG" run playbooks/slow.md --auto --allow declared
	[ "$status" -eq 5 ]
	[[ $output == *"waits for a runbook that it started, which waits for a person:"* ]] || { echo "$output"; false; }
	child=$(sed -n 's/.*rung attach \(01[0-9A-Z]*\)$/\1/p' <<<"$output" | head -1)
	run "$RUNG" attach "$child" </dev/null
	[ "$status" -eq 5 ]
	[[ $output == *"started by step remedy of execution"* && $output == *"is done by hand"* ]] || { echo "$output"; false; }
}

@test "a runbook that fails is exit status 1, and what is not allowed is proposed" {
	sed -i 's/return {freed = 7}/fail("worse")/' runbooks/mend.md
	run "$RUNG" run playbooks/slow.md --auto --allow declared
	[ "$status" -eq 1 ]
	[[ $output == *"the cause was found; its runbook did not succeed: full"* ]] || { echo "$output"; false; }
	run "$RUNG" run playbooks/slow.md --auto --allow 'sh echo *'
	[ "$status" -eq 0 ]
	[[ $output == *"the cause was found; nothing was run for it: full"* ]] || { echo "$output"; false; }
}
