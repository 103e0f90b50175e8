#!/usr/bin/env bats
# Every command's plain behaviour: what it prints, what it says of wrong input, its exit status, the shape of its --json. limit: 240

setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	RUNG=${RUNG:-$ROOT/build/rung}
	W=$(mktemp -d /tmp/rung-cli-XXXXXX)
	export XDG_STATE_HOME=$W/xdg HOME=$W TZ=UTC
	unset RUNG_STATE NO_COLOR
	mkdir -p "$W/team/runbooks"
	cp "$ROOT"/tests/fixtures/guided/*.md "$W/team/runbooks/"
	cat >"$W/team/runbooks/quick.md" <<-'BOOK'
	# Quick one

	## Permissions

	- read: `sh echo **`

	## Steps

	1. Say it

	   ```lua {id=say risk=read}
	   return sh({"echo", "said"}).stdout
	   ```
	BOOK
	cd "$W/team"
}

teardown() {
	for pid in "$W"/*/.rung/state/engine.pid "$W"/xdg/rung/engine.pid "$W"/other/engine.pid; do
		[ -e "$pid" ] || continue
		p=$(cat "$pid")
		kill "$p" 2>/dev/null || true
		for _ in $(seq 500); do [ -d "/proc/$p" ] || break; sleep 0.01; done
	done
	cd /
	rm -rf "$W"
}

# field NAME: of the JSON object on standard input.
field() { python3 -c 'import json,sys
v = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    v = v[int(part)] if part.isdigit() else v[part]
print(json.dumps(v) if not isinstance(v, str) else v)' "$1"; }

run_quick() { "$RUNG" run runbooks/quick.md --auto --allow declared --json 2>/dev/null; }

@test "help lists the commands, and each has a help of its own" {
	run "$RUNG"
	[ "$status" -eq 0 ]
	for c in run check show graph list log report attach resume resolve cancel note verify policy init doctor help version; do
		[[ "$output" == *"  $c "* ]]
		"$RUNG" help $c | grep -q "^rung $c"
		"$RUNG" $c --help | grep -q "^rung $c"
	done
	[[ "$output" != *"  engine "* ]]
}

@test "help on states, records, keys and exit statuses" {
	"$RUNG" help states | grep -q "attention"
	"$RUNG" help states --json | field executions.0.name
	"$RUNG" help records | grep -q "call.started"
	"$RUNG" help keys | grep -q "Ctrl-C"
	"$RUNG" help exit | grep -q "130"
	"$RUNG" help attributes | grep -q "on_failure=stop"
	[ "$("$RUNG" help attributes --json | field 0.name)" = id ]
	"$RUNG" help capabilities | grep -q "{param:x}"
	"$RUNG" help capabilities | grep -q "ssh .* put /"
	"$RUNG" help capabilities | grep -q "ssh .* get /"
	"$RUNG" help | grep -q "attributes, capabilities"
	run "$RUNG" help stats
	[ "$status" -eq 2 ]
	[[ "$output" == *"states"* ]]
}

@test "an unknown command names the nearest, exit 2" {
	run "$RUNG" chekc
	[ "$status" -eq 2 ]
	[[ "$output" == *"rung check"* ]]
	run "$RUNG" zzzzzzzz
	[ "$status" -eq 2 ]
}

@test "an unknown option names the nearest, exit 2" {
	run "$RUNG" run x.md --prama a=b
	[ "$status" -eq 2 ]
	[[ "$output" == *"--param"* ]]
	run "$RUNG" list --all
	[ "$status" -eq 2 ]
}

@test "options without a value, twice, with one too many; too few and too many arguments" {
	for words in "run" "run a b" "run quick --params" "run quick --auto=1" "run quick --params a --params b" "check" "show" "graph a b" "report" "version x"; do
		run "$RUNG" $words
		[ "$status" -eq 2 ] || { echo "$words: $status"; false; }
	done
}

@test "version, as text and as JSON" {
	[[ "$("$RUNG" version)" == "rung "* ]]
	[ "$("$RUNG" --version)" = "$("$RUNG" version)" ]
	"$RUNG" version --json | field version
}

@test "show prints each stage, and needs no state" {
	for stage in document book graph plan; do "$RUNG" show --stage $stage runbooks/walk.md | field . >/dev/null 2>&1 || "$RUNG" show --stage $stage runbooks/walk.md | python3 -m json.tool >/dev/null; done
	[ "$("$RUNG" show --stage graph runbooks/walk.md | field steps.0.id)" = look ]
	"$RUNG" show runbooks/walk.md | grep -q "Measure every file system"
	run "$RUNG" show --stage grahp runbooks/walk.md
	[ "$status" -eq 2 ]
	[[ "$output" == *"graph"* ]]
	[ ! -e "$W/xdg" ]
	[ ! -e .rung ]
}

@test "a book that is not there: exit 2, with the nearest name in a workspace" {
	run "$RUNG" show nothing.md
	[ "$status" -eq 2 ]
	mkdir .rung
	run "$RUNG" show qick
	[ "$status" -eq 2 ]
	[[ "$output" == *'"quick"'* ]]
	run "$RUNG" show runbooks
	[ "$status" -eq 2 ]
}

@test "a book goes by its id, its title and its file's name" {
	mkdir .rung
	[ "$("$RUNG" show --stage book RUN901 | field id)" = RUN901 ]
	[ "$("$RUNG" show --stage book 'free a full disk' | field id)" = RUN901 ]
	[ "$("$RUNG" show --stage book walk | field id)" = RUN901 ]
	cd runbooks
	[ "$("$RUNG" show --stage book RUN901 | field id)" = RUN901 ]
}

@test "check: one line a finding, exit 3 with errors, 0 with warnings, 3 with --strict" {
	printf '# A\n\n## Steps\n\n1. Do\n\n   ```lua {id=a needs=nothing-there}\n   return 1\n   ```\n' >broken.md
	run "$RUNG" check broken.md
	[ "$status" -eq 3 ]
	[[ "$output" =~ broken\.md:[0-9]+:[0-9]+:\ error ]]
	run "$RUNG" check --json broken.md
	[ "$status" -eq 3 ]
	[ "$(echo "$output" | field findings.0.file)" = broken.md ]
	run "$RUNG" check runbooks/quick.md
	[ "$status" -eq 0 ]
	sed 's/risk=read/risk=change/' runbooks/quick.md >warned.md
	run "$RUNG" check warned.md
	[ "$status" -eq 0 ]
	[[ "$output" == *": warning "* ]]
	run "$RUNG" check --strict warned.md
	[ "$status" -eq 3 ]
	run "$RUNG" check not-there.md
	[ "$status" -eq 2 ]
	[ "$("$RUNG" check --json runbooks | field files)" -eq 4 ]
}

@test "check: what the steps of a book call is listed, and what its Permissions lack" {
	printf '# A\n\n## Permissions\n\n- read: `sh df *`\n\n## Steps\n\n1. Do\n\n   ```lua {id=a risk=read}\n   sh{"df", "/"}\n   sh{"rm", "\033x"}\n   sh{"df", where}\n   ```\n' >calls.md
	run "$RUNG" check calls.md
	[ "$status" -eq 0 ]
	[[ "$output" == *": warning permission-missing: step \"a\" calls \`sh rm "* ]]
	[[ "$output" == *"sh df /"*"line 12, declared"* ]]
	[[ "$output" == *"line 13, not in Permissions"* ]]
	[[ "$output" == *"sh df *"*"line 14, may be declared"* ]]
	[[ "$output" != *$'\033'* ]]
	[ "$("$RUNG" check --json calls.md | field calls.0.right)" = declared ]
	[ "$("$RUNG" check --json calls.md | field calls.1.right)" = lacking ]
	[ "$("$RUNG" check --json calls.md | field calls.2.right)" = unclear ]
	mkdir two
	cp calls.md two/a.md
	cp calls.md two/b.md
	[[ "$("$RUNG" check two 2>&1)" != *"line 12, declared"* ]]
	[[ "$("$RUNG" check two --calls 2>&1)" == *"line 12, declared"* ]]
}

@test "a README in a folder is no book: check, list and init leave it out; named, it is checked" {
	mkdir .rung
	cp runbooks/quick.md runbooks/README.md
	[ "$("$RUNG" check --json runbooks | field files)" -eq 4 ]
	[ "$("$RUNG" check --json . | field files)" -eq 4 ]
	[ "$("$RUNG" check --json runbooks/README.md | field files)" -eq 1 ]
	[ "$("$RUNG" list --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))')" -eq 4 ]
	[ "$("$RUNG" init --json | field books)" -eq 4 ]
}

@test "show says a step's title once" {
	[ "$("$RUNG" show runbooks/walk.md | grep -c 'Measure every file system')" -eq 1 ]
	[ "$("$RUNG" show runbooks/walk.md | grep -c 'Ask the owner')" -eq 2 ]
}

@test "graph draws the steps, and as JSON has steps and edges" {
	"$RUNG" graph runbooks/walk.md | grep -q "● .*compress"
	LC_ALL=C "$RUNG" graph runbooks/walk.md | LC_ALL=C grep -q '\* .*compress'
	[ "$("$RUNG" graph --json runbooks/walk.md | field edges.0.from)" = look ]
}

@test "list shows the books of the workspace; without one it says how to make it" {
	run "$RUNG" list
	[ "$status" -eq 2 ]
	[[ "$output" == *"rung init"* ]]
	mkdir .rung
	"$RUNG" list | grep -q "RUN901.*Free a full disk.*6 steps"
	[ "$("$RUNG" list --json | field 3.steps)" -eq 6 ]
}

@test "init makes a workspace and never overwrites" {
	run "$RUNG" init
	[ "$status" -eq 0 ]
	[[ "$output" == *"4 books"* ]]
	grep -q '^state/' .rung/.gitignore
	echo "mine" >.rung/config.yaml
	"$RUNG" init .
	[ "$(cat .rung/config.yaml)" = mine ]
	[ "$("$RUNG" init --json | field books)" -eq 4 ]
	run "$RUNG" init "$W/no/such/folder"
	[ "$status" -eq 2 ]
}

@test "doctor says the honest sentence" {
	run "$RUNG" doctor
	[[ "$output" == *"confined by nothing but that user"* ]]
	"$RUNG" doctor --json | field honesty
}

@test "run --auto of a book that runs by itself: exit 0, lines, one object with --json" {
	mkdir .rung
	run "$RUNG" run quick --auto --allow declared
	[ "$status" -eq 0 ]
	[[ "$output" == *"say | said"* ]]
	[[ "$output" == *"succeeded: 1 of 1 step done"* ]]
	out=$("$RUNG" run quick --auto --allow 'sh echo **' --json 2>/dev/null)
	[ "$(echo "$out" | wc -l)" -eq 1 ]
	[ "$(echo "$out" | field state)" = succeeded ]
	[ "$(echo "$out" | field steps.0.id)" = say ]
	[ "$(echo "$out" | field steps.0.state)" = succeeded ]
	[ "$(stat -c %a .rung/state)" = 700 ]
}

flood_book() {
	cat >runbooks/flood.md <<-'BOOK'
	# Flood

	## Permissions

	- read: `sh seq *`

	## Steps

	1. Count

	   ```lua {id=count risk=read}
	   sh({"seq", "300"})
	   sh({"seq", "11"})
	   return "counted"
	   ```

	2. Ask

	   ```lua {id=far risk=read}
	   return ask{prompt = "How far may we go?", type = "enum", choices = {"oldest only", "all but today"}}
	   ```
	BOOK
}

@test "run --auto shows the first and last lines of each call, --verbose and log --output all of them" {
	flood_book
	run "$RUNG" run runbooks/flood.md --auto --allow declared
	[ "$status" -eq 5 ]
	[ "$(grep -c 'count | ' <<<"$output")" -eq 22 ]
	[[ "$output" == *"count | 5"$'\n'*"count | ... 290 lines left out: rung log 01"*" --output count"$'\n'*"count | 296"* ]]
	[[ "$output" == *"count | 300"* ]]
	id=$("$RUNG" log --json | head -n 1 | field execution)
	[ "$("$RUNG" log "$id" --output count | wc -l)" -eq 313 ]
	[ "$("$RUNG" log "$id" --output | head -n 2)" = "== count, call 1.1  seq 300  ok"$'\n'"  1" ]
	[ "$("$RUNG" log "$id" --output count --json | head -n 1 | field stdout | wc -l)" -ge 300 ]
	run "$RUNG" log "$id" --output nothing
	[ "$status" -eq 2 ]
	[[ "$output" == *nothing* ]]
	run "$RUNG" log "$id" count
	[ "$status" -eq 2 ]
	run "$RUNG" log --output
	[ "$status" -eq 2 ]
	run "$RUNG" run runbooks/flood.md --auto --allow declared --verbose
	[ "$(grep -c 'count | ' <<<"$output")" -eq 311 ]
}

@test "run --auto that comes to a question says what is asked, with the choices" {
	flood_book
	run "$RUNG" run runbooks/flood.md --auto --allow declared
	[ "$status" -eq 5 ]
	[[ "$output" == *"step far (Ask) asks: How far may we go?"*"1  oldest only"*"2  all but today"*"rung attach 01"* ]]
	run "$RUNG" run runbooks/walk.md --auto --allow declared
	[[ "$output" == *"step agree (Ask the owner whether logs may be compressed) is done by hand"* ]]
}

@test "run --auto without the rights: exit 4 before anything runs" {
	run "$RUNG" run runbooks/quick.md --auto
	[ "$status" -eq 4 ]
	[[ "$output" == *"sh echo **"* ]]
}

@test "run --auto where a step is done by hand: exit 5 and how to go on" {
	run "$RUNG" run runbooks/walk.md --auto --allow declared
	[ "$status" -eq 5 ]
	[[ "$output" == *"rung attach 01"* ]]
}

@test "run --auto of a step that fails: exit 1, and why" {
	run "$RUNG" run runbooks/trouble.md --auto --allow declared
	[ "$status" -eq 1 ]
	[[ "$output" == *"exit status 1"* ]]
}

@test "run without a terminal and without --auto: exit 2, nothing is asked" {
	run "$RUNG" run runbooks/walk.md </dev/null
	[ "$status" -eq 2 ]
	[[ "$output" == *"--auto"* ]]
}

@test "run --detach prints the id, attach follows" {
	id=$("$RUNG" run runbooks/walk.md --detach --auto --allow declared 2>/dev/null)
	[ ${#id} -eq 26 ]
	run "$RUNG" attach "$id"
	[ "$status" -eq 5 ]
	run "$RUNG" attach
	[ "$status" -eq 5 ]
}

@test "run --dry-run runs nothing and starts nothing" {
	run "$RUNG" run runbooks/quick.md --dry-run
	[ "$status" -eq 0 ]
	[[ "$output" == *"Nothing is run"* ]]
	[[ "$output" == *"sh echo"* ]]
	"$RUNG" run runbooks/quick.md --dry-run --json | field steps.0.id
	[ ! -e "$W/xdg" ]
}

@test "parameters: --param, --params, what is wrong or missing is named" {
	run "$RUNG" run runbooks/walk.md --dry-run --param folder=/srv --json
	[ "$(echo "$output" | field params.folder)" = /srv ]
	echo '{"folder": "/var"}' >p.json
	[ "$("$RUNG" run runbooks/walk.md --dry-run --params p.json --json | field params.folder)" = /var ]
	[ "$("$RUNG" run runbooks/walk.md --dry-run --params p.json --param folder=/x --json | field params.folder)" = /x ]
	run "$RUNG" run runbooks/walk.md --dry-run --param folder
	[ "$status" -eq 2 ]
	run "$RUNG" run runbooks/walk.md --auto --param nothing=1
	[ "$status" -eq 3 ]
	echo '[1]' >p.json
	run "$RUNG" run runbooks/walk.md --dry-run --params p.json
	[ "$status" -eq 3 ]
	printf '# N\n\n## Parameters\n\n| Name | Type | Default | Description |\n|---|---|---|---|\n| one | string | | first |\n| two | int | | second |\n\n## Steps\n\n1. Do it by hand\n' >needy.md
	run "$RUNG" run needy.md --auto
	[ "$status" -eq 3 ]
	[[ "$output" == *"one"*"two"* ]]
}

@test "log lists executions newest first, one object a line with --json" {
	run "$RUNG" log
	[ "$status" -eq 0 ]
	[[ "$output" == *"nothing has run here yet"* ]]
	[ -z "$("$RUNG" log --json)" ]
	first=$(run_quick | field execution)
	second=$(run_quick | field execution)
	[ "$("$RUNG" log --json | head -n 1 | field execution)" = "$second" ]
	[ "$("$RUNG" log --json | tail -n 1 | field execution)" = "$first" ]
	[ "$("$RUNG" log --json | head -n 1 | field state)" = succeeded ]
	"$RUNG" log --json | head -n 1 | field book
	[ "$("$RUNG" log --limit 1 --json | wc -l)" -eq 1 ]
	run "$RUNG" log --limit zero
	[ "$status" -eq 2 ]
	"$RUNG" log "$first" | grep -q "call.started"
	[ "$("$RUNG" log "$first" --json | head -n 1 | field k)" = execution.started ]
	run "$RUNG" log 00ZZ
	[ "$status" -eq 2 ]
}

@test "report as Markdown, as JSON, into a file" {
	id=$(run_quick | field execution)
	"$RUNG" report "$id" | grep -q "Quick one"
	[ "$("$RUNG" report "$id" --json | field state)" = succeeded ]
	"$RUNG" report "$id" -o out.md
	grep -q "Quick one" out.md
	run "$RUNG" report 00ZZ
	[ "$status" -eq 2 ]
}

@test "note and cancel, with exit statuses" {
	id=$("$RUNG" run runbooks/walk.md --detach --auto --allow declared 2>/dev/null)
	"$RUNG" attach "$id" || [ $? -eq 5 ]
	"$RUNG" note "$id" "looked at it" --step agree
	"$RUNG" note "only one is open"
	"$RUNG" report "$id" | grep -q "looked at it"
	"$RUNG" cancel "$id" --reason "wrong host"
	run "$RUNG" attach "$id"
	[ "$status" -eq 130 ]
	run "$RUNG" cancel "$id"
	[ "$status" -eq 1 ]
	run "$RUNG" note
	[ "$status" -eq 2 ]
}

@test "resolve with nothing to resolve, a wrong answer, without a terminal" {
	id=$("$RUNG" run runbooks/walk.md --detach --auto --allow declared 2>/dev/null)
	run "$RUNG" resolve "$id" --again --reason x
	[ "$status" -eq 1 ]
	run "$RUNG" resolve "$id" look
	[ "$status" -eq 1 ]
	for wrong in "--maybe" "--again --failed --reason x" "--again --reason x --result {}" "--call 0" "--call x" "--failed --reason="; do
		run "$RUNG" resolve "$id" $wrong
		[ "$status" -eq 2 ] || { echo "$wrong: $status $output"; false; }
	done
}

@test "a killed engine: the call in flight is unknown, resolve settles it, verify holds" {
	printf '# Slow\n\n## Permissions\n\n- `sh sleep *`\n\n## Steps\n\n1. Wait\n\n   ```lua {id=wait effect=once risk=read}\n   sh({"sleep", "300"})\n   return "waited"\n   ```\n' >slow.md
	id=$("$RUNG" run slow.md --detach --auto --allow declared 2>/dev/null)
	for _ in $(seq 500); do "$RUNG" log "$id" | grep -q call.started && break; sleep 0.01; done
	kill -9 "$(cat "$W/xdg/rung/engine.pid")"
	run "$RUNG" resume "$id"
	[ "$status" -eq 5 ]
	[[ "$output" == *"unknown"* ]]
	run "$RUNG" resolve "$id"
	[ "$status" -eq 2 ]
	output=$(tr -s ' \n' ' ' <<<"$output")
	[[ "$output" == *"sleep 300"*"the engine ended while it was under way"*"nothing by then"*"runs any more"*"if it did happen, it happens twice"*"--again, --failed or --done"* ]]
	[[ "$output" == *"verify"*"the book has none"* ]]
	run "$RUNG" resolve "$id" --failed
	[ "$status" -eq 2 ]
	[[ "$output" == *"--reason TEXT"* ]]
	run "$RUNG" resolve "$id" --verify
	[ "$status" -eq 1 ]
	[[ "$output" == *"no {verify}"* ]]
	for nobody in "--call 7" "--host web-1"; do
		run "$RUNG" resolve "$id" --failed --reason x $nobody
		[ "$status" -eq 2 ] || { echo "$nobody: $status $output"; false; }
	done
	[ "$("$RUNG" resolve "$id" --json | field calls.0.words)" = "sleep 300" ]
	[ "$("$RUNG" resolve "$id" --done --reason "it slept" --result '"slept"' --json | field answer)" = done ]
	run "$RUNG" resolve "$id" wait --done --reason "it slept"
	[ "$status" -eq 1 ]
	run "$RUNG" attach "$id"
	[ "$status" -eq 0 ]
	run "$RUNG" verify
	[ "$status" -eq 0 ]
}

@test "resolve --verify: 5 where it does not hold, then the answer; settled where it does" {
	printf '# Slow\n\n## Permissions\n\n- `sh sleep *`\n- read: `sh test **`\n\n## Steps\n\n1. Wait\n\n   ```lua {id=wait}\n   sh({"sleep", "300"})\n   ```\n\n   ```lua {verify}\n   sh({"test", "-e", "%s/fine"})\n   ```\n' "$W" >slow.md
	id=$("$RUNG" run slow.md --detach --auto --allow declared 2>/dev/null)
	for _ in $(seq 500); do "$RUNG" log "$id" | grep -q call.started && break; sleep 0.01; done
	kill -9 "$(cat "$W/xdg/rung/engine.pid")"
	run "$RUNG" resume "$id"
	[ "$status" -eq 5 ]
	run "$RUNG" resolve "$id" --verify
	[ "$status" -eq 5 ]
	[[ "$output" == *"the verify of wait did not hold at "*"asked"*"exit status 1"* ]]
	[ "$("$RUNG" resolve "$id" --json | field proof.state)" = failed ]
	touch "$W/fine"
	run "$RUNG" resolve "$id" --verify --failed --reason "not needed"
	[ "$status" -eq 0 ]
	[[ "$output" == *"held: the step is settled"* ]]
	run "$RUNG" attach "$id"
	[ "$status" -eq 0 ]
	"$RUNG" report "$id" | grep -q "on request"
}

@test "verify: prints the log's origin and root; a changed store is exit 7" {
	run "$RUNG" verify
	[ "$status" -eq 2 ]
	run_quick
	run "$RUNG" verify
	[ "$status" -eq 0 ]
	[[ "$output" == *"origin"*"root"* ]]
	[ "$("$RUNG" verify --json | field whole)" = true ]
	p=$(cat "$W/xdg/rung/engine.pid")
	kill "$p"
	for _ in $(seq 500); do [ -d "/proc/$p" ] || break; sleep 0.01; done
	python3 - "$W/xdg/rung/store.db" <<-'PY'
	import sqlite3, sys
	db = sqlite3.connect(sys.argv[1])
	table, column = next((t, c[1]) for (t,) in db.execute("select name from sqlite_master where type='table'") for c in db.execute("pragma table_info('%s')" % t)
	                     if t.startswith("record") and c[2].upper() in ("BLOB", "TEXT") and c[1] in ("line", "bytes", "record", "data"))
	rowid, line = db.execute("select rowid, %s from %s order by rowid desc limit 1" % (column, table)).fetchone()
	changed = line.replace(b"succeeded", b"Succeeded") if isinstance(line, bytes) else line.replace("succeeded", "Succeeded")
	db.execute("update %s set %s = ? where rowid = ?" % (table, column), (changed, rowid))
	db.commit()
	PY
	run "$RUNG" verify
	echo "$output"
	[ "$status" -eq 7 ]
	[[ "$output" == *"WRONG"* ]]
}

@test "cancel in the middle of a call: the end says what was sent" {
	printf '# Slow\n\n## Permissions\n\n- `sh sleep *`\n\n## Steps\n\n1. Wait\n\n   ```lua {id=wait effect=once risk=read}\n   sh({"sleep", "300"})\n   ```\n' >slow.md
	id=$("$RUNG" run slow.md --detach --auto --allow declared 2>/dev/null)
	for _ in $(seq 500); do "$RUNG" log "$id" | grep -q call.started && break; sleep 0.01; done
	"$RUNG" cancel "$id" --reason "wrong host"
	run "$RUNG" attach "$id"
	[ "$status" -eq 130 ]
	[[ "$output" == *"nobody saw what became of it: sleep 300"*"cancelled: 0 of 1 step"* ]]
}

@test "two commands at once start one engine" {
	"$RUNG" run runbooks/quick.md --auto --allow declared >one 2>&1 &
	a=$!
	"$RUNG" run runbooks/quick.md --auto --allow declared >two 2>&1 &
	b=$!
	wait $a
	wait $b
	[ "$(grep -ho 'pid [0-9]*' one two | sort -u | wc -l)" -eq 1 ]
}

@test "the state is where --state, RUNG_STATE, .rung or XDG_STATE_HOME say, in this order" {
	"$RUNG" run runbooks/quick.md --auto --allow declared --state "$W/other" >/dev/null 2>&1
	[ -e "$W/other/store.db" ]
	[ "$(RUNG_STATE=$W/other "$RUNG" log --json | wc -l)" -eq 1 ]
	mkdir .rung
	run_quick >/dev/null
	[ -e .rung/state/store.db ]
	[ ! -e "$W/xdg/rung/store.db" ]
}

@test "a state directory with a long path works" {
	long=$W/$(printf 'x%.0s' $(seq 120))
	mkdir -p "$long/.rung" "$long/runbooks"
	cp runbooks/quick.md "$long/runbooks/"
	cd "$long"
	run "$RUNG" run quick --auto --allow declared
	[ "$status" -eq 0 ]
}

@test "an engine that cannot start says why" {
	printf 'no folder' >"$W/file"
	run "$RUNG" run runbooks/quick.md --auto --allow declared --state "$W/file/state"
	[ "$status" -ne 0 ]
	[[ "$output" == *"$W/file"* ]]
}

@test "messages go to standard error, results to standard output" {
	"$RUNG" run runbooks/quick.md --auto --allow declared --json 2>/dev/null | field state
	[ -z "$("$RUNG" show not-there.md 2>/dev/null)" ]
	[ "$("$RUNG" show not-there.md --json 2>/dev/null | field error.kind)" = not_found ]
}

@test "what an author wrote cannot steer the terminal" {
	printf '# T\033]0;owned\007itle\n\n## Steps\n\n1. Do \033[2J it\n' >evil.md
	for c in "show" "graph" "check"; do ! "$RUNG" $c evil.md 2>&1 | grep -q $'\033' ; done
	run "$RUNG" run evil.md --auto
	[[ "$output" != *$'\033'* ]]
}
