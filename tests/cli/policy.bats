#!/usr/bin/env bats
# rung policy check, test, explain and diff, as a script sees them: what they print, exit statuses, JSON. limit: 240

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	RUNG=${RUNG:-$ROOT/build/rung}
	W=$(mktemp -d "${TMPDIR:-/tmp}/rung-policy-XXXXXX")
	export XDG_STATE_HOME=$W/xdg HOME=$W TZ=UTC GIT_CONFIG_GLOBAL=/dev/null
	unset RUNG_STATE NO_COLOR
	mkdir -p "$W/.rung" "$W/runbooks/web" "$W/runbooks/db"
	cd "$W"
	book Restart >runbooks/web/restart.md
	book Drop destructive >runbooks/db/drop.md
	policy >.rung/policy.yaml
}

teardown() {
	cd /
	rm -rf "$W"
}

# book TITLE [RISK]
book() {
	cat <<-BOOK
	# $1

	## Parameters

	| Name | Type | Default | Description |
	|---|---|---|---|
	| unit | string | nginx | The unit |

	## Permissions

	- read: \`sh systemctl is-active {param:unit}\`
	- \`sh systemctl restart {param:unit}\`
	- \`sh systemctl stop *\`

	## Steps

	1. Look

	   \`\`\`lua {id=look risk=read}
	   return 1
	   \`\`\`

	2. Do it

	   \`\`\`lua {id=act risk=${2:-change}}
	   return 1
	   \`\`\`
	BOOK
}

policy() {
	cat <<-'YAML'
	version: 1
	groups: {sre: [ana, bo], dba: [dee, eve]}
	windows: {year-end: [{from: 2026-12-20, to: 2027-01-02}]}
	elevations: {break-glass: {who: [group:sre], for: 1h}}
	rules:
	  - id: web
	    allow: [run]
	    who: [group:sre]
	    books: ["runbooks/web/**"]
	    grants: ["sh systemctl restart *", "sh systemctl is-active *"]
	  - id: databases
	    allow: [run]
	    who: [group:dba]
	    books: ["runbooks/db/**"]
	  - id: two-persons
	    require: {approvals: 1, from: group:dba}
	    when: {risk: destructive}
	  - id: freeze
	    deny: [run]
	    when: {window: year-end, risk: [change, destructive]}
	    unless: {grant: break-glass}
	    why: Nothing changes at the end of the year.
	tests:
	  - {who: ana, book: runbooks/web/restart.md, want: allow, rule: web}
	  - {who: cy, book: runbooks/web/restart.md, want: deny}
	YAML
}

# field NAME: of the JSON object on standard input.
field() { python3 -c 'import json,sys
v = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    v = v[int(part)] if part.isdigit() else v[part]
print(json.dumps(v) if not isinstance(v, str) else v)' "$1"; }

@test "check counts what is there and finds nothing odd in a sound policy" {
	run "$RUNG" policy check
	[ "$status" -eq 0 ]
	[[ "$output" == *".rung/policy.yaml: 4 rules, 2 groups, 2 tests: 0 errors"* ]]
	[ "$("$RUNG" policy check --json | field rules)" = 4 ]
	[ "$("$RUNG" policy check --json | field findings)" = "[]" ]
}

@test "check says which policy cannot be read, where, and what was expected" {
	sed -i 's/grants:/grnts:/' .rung/policy.yaml
	run "$RUNG" policy check
	[ "$status" -eq 3 ]
	[[ "$output" == *".rung/policy.yaml:10:"*"grants"* ]]
	[ "$("$RUNG" policy check --json 2>/dev/null | field error.kind)" = invalid ]
}

@test "check finds rules that never count, rights that are too wide, approvals that nobody can give" {
	python3 - <<-'PY'
	p = ".rung/policy.yaml"
	s = open(p).read()
	s = s.replace("dba: [dee, eve]", "dba: [dee], none: [], crew: [ana, 'service:bot']")
	s = s.replace("tests:", """  - {id: wide, allow: [run], who: [group:crew], books: ["runbooks/**"], grants: ["sh sh -c *", "sh du **"]}
	  - {id: typo, allow: [run], who: [group:sre], books: ["runbook/**"]}
	  - {id: nobody, allow: [run], who: [group:none], books: ["**"]}
	  - {id: three, require: {approvals: 3, from: group:dba}}
	  - {id: closed, deny: [cancel]}
	  - {id: stop, allow: [cancel], who: ["user:*"], books: ["**"]}
	  - {id: again, allow: [run], who: [user:ana], books: ["runbooks/web/**"], grants: ["sh systemctl restart nginx"]}
	tests:""".replace("\n\t", "\n"))
	s = s.replace("windows:", "services: {bot: {}, idle: {}}\nwindows:").replace("2027-01-02}]", "2027-01-02}], gone: [{from: 2020-01-01, to: 2020-01-02}]")
	open(p, "w").write(s)
	PY
	run "$RUNG" policy check
	echo "$output"
	[ "$status" -eq 1 ]
	for said in "error too-wide: rule wide grants \`sh sh -c *\`" "warning wide-for-services: rule wide grants services \`sh du **\`" \
		"warning no-such-book: rule typo speaks of runbook/**" "error nobody: rule nobody is for group none" "warning empty-group: nobody is in group none" \
		"error too-few-to-approve: rule three asks for 3 approvals, and 1 could give one" "warning too-few-to-approve: rule two-persons" \
		"error never: rule stop never counts: rule closed" "warning covered: rule again changes nothing: rule web" "warning unused: no rule allows the service idle" \
		"warning over: the window gone is over" "warning unused: no rule speaks of the window gone"; do
		[[ "$output" == *"$said"* ]] || { echo "missing: $said"; false; }
	done
	[ "$("$RUNG" policy check --json | field errors)" = 4 ]
}

@test "check does not let a deny leave out what it seems to hold" {
	sed -i 's|^tests:|  - {id: no-rm, deny: [run], calls: ["sh rm *", "sh dd **", "http DELETE https://shop.example/**"]}\ntests:|' .rung/policy.yaml
	run "$RUNG" policy check
	echo "$output"
	[ "$status" -eq 1 ]
	[[ "$output" == *"error deny-leaves-out: rule no-rm denies \`sh rm *\` and leaves out"* ]]
	[[ "$output" == *"\`sh rm **\`"* ]]
	[[ "$output" == *"\`http DELETE https://shop.example/**?**\`"* ]]
	[ "$("$RUNG" policy check --json | field errors)" = 2 ]
	sed -i 's|sh rm \*"|sh rm **"|; s|example/\*\*"|example/**?**"|' .rung/policy.yaml
	run "$RUNG" policy check
	[ "$status" -eq 0 ]
}

@test "check says of books without Permissions that no service can start them" {
	sed -i 's/groups:/services: {bot: {}}\ngroups:/; s/who: \[group:sre\]$/who: [group:sre, service:bot]/' .rung/policy.yaml
	sed -i '/## Permissions/,/stop/d' runbooks/web/restart.md
	run "$RUNG" policy check
	[ "$status" -eq 0 ]
	[[ "$output" == *"no-permissions: rule web lets services run runbooks/web/restart.md, which has no Permissions section"* ]]
}

@test "test runs the policy's tests, and fails where one does" {
	run "$RUNG" policy test
	[ "$status" -eq 0 ]
	[[ "$output" == *".rung/policy.yaml:25: ok: cy may not run runbooks/web/restart.md: no rule"* ]]
	[[ "$output" == *"2 tests: 2 passed, 0 failed"* ]]
	sed -i 's/want: deny/want: wait/' .rung/policy.yaml
	run "$RUNG" policy test
	[ "$status" -eq 1 ]
	[[ "$output" == *".rung/policy.yaml:25: wants wait, gets deny"* ]]
	[ "$("$RUNG" policy test --json | field failed)" = 1 ]
	[ "$("$RUNG" policy test --json | field tests.0.ok)" = true ]
	sed -i '/^tests:/,$d' .rung/policy.yaml
	run "$RUNG" policy test
	[ "$status" -eq 0 ]
	[[ "$output" == *"has no tests"* ]]
}

@test "explain says why, for a start with all that is declared and every step" {
	run "$RUNG" policy explain restart --who ana --at 2026-12-24
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == "ana may run runbooks/web/restart.md: rule web (.rung/policy.yaml:6) is for group sre (ana, bo) and runbooks/web/**" ]]
	[[ "$output" == *"allow  sh systemctl restart {param:unit}"*"rule web (.rung/policy.yaml:6)"* ]]
	[[ "$output" == *"deny   sh systemctl stop *"*"no rule allows it"* ]]
	[[ "$output" == *"deny   act (change)"*"rule freeze"* ]]
	[[ "$output" == *"Nothing changes at the end of the year"*"--elevate break-glass"* ]]
	[[ "$output" == *'  - "sh systemctl stop *"'* ]]
	run "$RUNG" policy explain restart --who ana --at 2026-12-24 --grant break-glass --json
	[ "$(field outcome <<<"$output")" = allow ]
	[ "$(field steps.1.outcome <<<"$output")" = allow ]
	[ "$(field permissions.2.outcome <<<"$output")" = deny ]
}

@test "explain reads parameters as a run does" {
	run "$RUNG" policy explain restart --who ana --at 2026-12-24 --param unit=a-unit-with-a-rather-long-name --call 'sh systemctl restart a-unit-with-a-rather-long-name'
	[ "$status" -eq 0 ] || { echo "$output"; false; }
}

@test "explain answers about one call, one step, one verb, with the status that a run would have" {
	run "$RUNG" policy explain runbooks/web/restart.md --who ana --call 'sh systemctl restart nginx'
	[ "$status" -eq 0 ]
	run "$RUNG" policy explain runbooks/web/restart.md --who ana --call 'sh systemctl stop nginx'
	[ "$status" -eq 4 ]
	[[ "$output" == *'add "sh systemctl stop nginx" to the grants of rule web'* ]]
	run "$RUNG" policy explain runbooks/db/drop.md --who dee --risk destructive
	[ "$status" -eq 5 ]
	[[ "$output" == *"after 1 approval from group dba (dee, eve)"*"rung approve"* ]]
	run "$RUNG" policy explain restart --who cy --do cancel --json
	[ "$status" -eq 4 ]
	[ "$(field rule <<<"$output")" = null ]
	run "$RUNG" policy explain runbooks/web/planned.md --who ana
	[ "$status" -eq 0 ]
	[[ "$output" == *"is no book of the workspace"* ]]
}

@test "explain says what it does not understand" {
	for wrong in "--do walk" "--risk high" "--targets many" "--grant none" "--at yesterday" "--who group:sre" "--call sh" "--trigger moon"; do
		run "$RUNG" policy explain restart $wrong
		[ "$status" -eq 2 ]
		[[ "$output" == *"${wrong%% *}"* ]]
	done
	run "$RUNG" policy explain
	[ "$status" -eq 2 ]
	run "$RUNG" policy test --who ana
	[ "$status" -eq 2 ]
	run "$RUNG" policy explian
	[ "$status" -eq 2 ]
	[[ "$output" == *"did you mean rung policy explain"* ]]
	rm .rung/policy.yaml
	run "$RUNG" policy explain restart
	[ "$status" -ne 0 ]
	[[ "$output" == *"has no policy"* ]]
}

@test "diff tells what is newly allowed first, and ends as diff does" {
	cp .rung/policy.yaml old.yaml
	run "$RUNG" policy diff old.yaml
	[ "$status" -eq 0 ]
	[[ "$output" == *"no decision changes"* ]]
	sed -i 's/sre: \[ana, bo\]/sre: [ana, cy]/' .rung/policy.yaml
	run "$RUNG" policy diff old.yaml
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == "Newly allowed"* ]]
	echo "$output"
	[[ "${lines[1]}" == "+ cy may now run runbooks/web/**"*"rule web (.rung/policy.yaml:6)" ]]
	[[ "$output" == *"- bo may no longer run runbooks/web/**"* ]]
	[ "$("$RUNG" policy diff old.yaml --json | field changes.0.kind)" = widened ]
	[ "$("$RUNG" policy diff old.yaml .rung/policy.yaml --json | field changes.0.who)" = cy ]
	[ "$("$RUNG" policy diff old.yaml old.yaml --json | field changes)" = "[]" ]
	run "$RUNG" policy diff
	[ "$status" -eq 2 ]
	run "$RUNG" policy diff nothing.yaml
	[ "$status" -eq 2 ]
	echo 'rules: 7' >old.yaml
	run "$RUNG" policy diff old.yaml
	[ "$status" -eq 3 ]
}

@test "diff takes the older policy from Git" {
	command -v git >/dev/null || skip "no git"
	git init -q . && git add .rung/policy.yaml
	git -c user.name=a -c user.email=a@example.org commit -qm one
	run "$RUNG" policy diff --since HEAD
	[ "$status" -eq 0 ]
	sed -i '/^  - id: freeze/,/why:/d' .rung/policy.yaml
	run "$RUNG" policy diff --since HEAD
	[ "$status" -eq 1 ]
	[[ "$output" == *"in the window year-end"*"(was denied)"* ]]
	run "$RUNG" policy diff --since --output=x
	[ "$status" -eq 2 ]
	[ ! -e x ]
	run "$RUNG" policy diff --since 'nothing; touch x'
	[ "$status" -eq 2 ]
	[ ! -e x ]
}

@test "what people wrote cannot steer the terminal" {
	printf '# \033[2J\n' >"runbooks/web/$(printf 'a\033[31m.md')"
	run "$RUNG" policy explain "$(printf 'runbooks/web/a\033[31m.md')" --who "$(printf 'x\033[2J')"
	[[ "$output" != *$'\033'* ]]
}
