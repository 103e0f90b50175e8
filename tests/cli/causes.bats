#!/usr/bin/env bats
# rung check on what a playbook's causes lead to: runbooks that are not there, parameters that they do not have, books that would start themselves.

setup() {
	RUNG=${RUNG:-build/san/rung}
	W=$(mktemp -d)
	mkdir -p "$W/.rung" "$W/runbooks" "$W/playbooks"
	printf '# Disk full\n\n## Runbook Info\n\n| Runbook ID |\n|---|\n| RUN003 |\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| path | string | /var | Where |\n| days | int 1..9 | 7 | Old |\n\n## Permissions\n\n- `sh true`\n\n## Steps\n\n1. Do it\n\n   ```lua {id=do irreversible="it is true"}\n   sh{"true"}\n   ```\n' >"$W/runbooks/disk-full.md"
}

teardown() { rm -rf "$W"; }

# A playbook whose table has the given row, and whose step calls the given Lua.
playbook() {
	printf '# Slow\n\n## Playbook Info\n\n| Playbook ID |\n|---|\n| PLAY001 |\n\n## Permissions\n\n- read: `sh true`\n%s\n\n## Diagnosis\n\n1. Look\n\n   ```lua {id=look}\n   %s\n   ```\n\n## Root Causes\n\n| Cause | Runbook | Automatic or ask | Parameters |\n|---|---|---|---|\n%s\n' "$3" "$2" "$1" >"$W/playbooks/slow.md"
}

@test "a runbook is found by id, name, title, path and link, and nothing is said" {
	for name in RUN003 run003 '`disk-full`' '`Disk full`' runbooks/disk-full.md '[x](../runbooks/disk-full.md)' '[x](../runbooks/disk-full.md#steps)'; do
		playbook "| \`full\` | $name | automatic | path=/srv, days=3 |" 'cause("full")'
		run "$RUNG" check "$W/playbooks/slow.md"
		[ "$status" -eq 0 ] || { echo "$name: $output"; false; }
		! grep -qE 'runbook-|cause-' <<<"$output" || { echo "$name: $output"; false; }
	done
}

@test "a runbook that is not there is an error, in the table and in Lua" {
	playbook '| `full` | RUN009 | ask | |' 'cause("full")'
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 3 ]
	[[ "$output" == *"error runbook-missing: "*"RUN009"* ]] || { echo "$output"; false; }
	playbook '| `full` | RUN003 | ask | |' 'cause("full") runbook("runbooks/gone.md")' '- `runbook runbooks/gone.md`'
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 3 ]
	[[ "$output" == *"error runbook-missing: there is no book runbooks/gone.md"* ]] || { echo "$output"; false; }
}

@test "parameters that the runbook does not have, or not so, are errors" {
	playbook '| `full` | RUN003 | ask | folder=/var |' 'cause("full")'
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 3 ]
	[[ "$output" == *'the parameter "folder", which that book does not have'* ]] || { echo "$output"; false; }
	playbook '| `full` | RUN003 | ask | days=70 |' 'cause("full")'
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 3 ]
	[[ "$output" == *"error runbook-parameter: "*"days"* ]] || { echo "$output"; false; }
}

@test "a cause that only the Lua or only the table names is told" {
	playbook '| `full` | RUN003 | ask | |' 'cause("empty")'
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 0 ]
	[[ "$output" == *'cause("empty") has no row'* && "$output" == *'no step finds the cause "full"'* ]] || { echo "$output"; false; }
}

@test "a book that would start itself is an error that names the way" {
	playbook '| `full` | runbooks/back.md | ask | |' 'cause("full")'
	printf '# Back\n\n## Permissions\n\n- `runbook playbooks/slow.md`\n\n## Steps\n\n1. Go back\n\n   ```lua {id=back risk=read}\n   runbook("playbooks/slow.md")\n   ```\n' >"$W/runbooks/back.md"
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 3 ]
	[[ "$output" == *"playbooks/slow.md -> runbooks/back.md -> playbooks/slow.md"* ]] || { echo "$output"; false; }
}

@test "two books of one name are an error that names both" {
	cp "$W/runbooks/disk-full.md" "$W/runbooks/disk-other.md"
	playbook '| `full` | RUN003 | ask | |' 'cause("full")'
	run "$RUNG" check "$W/playbooks/slow.md"
	[ "$status" -eq 3 ]
	[[ "$output" == *'"RUN003" names runbooks/disk-full.md and runbooks/disk-other.md: give the path'* ]] || { echo "$output"; false; }
}
