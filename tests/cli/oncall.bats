# rung oncall, rung oncall test, rung escalate.

bats_require_minimum_version 1.5.0

setup() {
	W=$(mktemp -d)
	cd "$W" || exit 1
	mkdir -p .rung
	cat >.rung/oncall.yaml <<-END
		version: 1
		people:
		  ana: {channels: [{mail: ana@example.net}, {command: [sh, -c, 'cat >> $W/ana']}]}
		  bo: {channels: [{command: [sh, -c, 'cat >> $W/bo']}]}
		policies:
		  web: {levels: [{who: ana, wait: 5m}, {who: bo, wait: 10m}], repeats: 1}
		  night: {levels: [{who: bo, wait: 1m}], repeats: 0, finally: nobody}
		defaults: {policy: web, retries: {attempts: 1}}
	END
	printf '# Fails\n\n## Steps\n\n1. Fail\n\n   ```lua {id=fails}\n   fail("nothing helps")\n   ```\n' >fails.md
}

teardown() {
	[ ! -e "$W/.rung/state/engine.pid" ] || kill "$(cat "$W/.rung/state/engine.pid")"
	cd / && rm -rf "$W"
}

# The member of a JSON object on standard input, as a.b.0.c.
field() {
	python3 -c '
import json, sys
v = json.load(sys.stdin)
for key in sys.argv[1].split("."):
    v = v[int(key) if isinstance(v, list) else key]
print(v)' "$1"
}

until_there() {
	for _ in $(seq 400); do
		[ -s "$1" ] && return 0
		sleep 0.05
	done
	echo "$1 did not come"
	return 1
}

@test "oncall shows the levels of each policy, and what keeps mail from leaving" {
	run --separate-stderr "$RUNG" oncall
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "web, 2 times" ]
	[[ "${lines[1]}" == *"1  waits 5 min"* ]]
	[[ "${lines[2]}" == *"ana"*"mail ana@example.net, then command sh -c"* ]]
	[[ "$output" == *"night"* ]]
	[[ "$stderr" == *"no mail leaves"* ]]
	run --separate-stderr "$RUNG" oncall night --json
	[ "$status" -eq 0 ]
	[ "$(echo "$output" | field policies.night.ladder.0.levels.0.people.0.name)" = bo ]
	[ "$(echo "$output" | field default)" = web ]
}

@test "oncall says what is wrong" {
	run "$RUNG" oncall nothing
	[ "$status" -ne 0 ]
	[[ "$output" == *'there is no policy "nothing"'* ]]
	echo "people: {" >.rung/oncall.yaml
	run "$RUNG" oncall
	[ "$status" -eq 3 ]
	[[ "$output" == *".rung/oncall.yaml:"* ]]
	rm .rung/oncall.yaml
	run "$RUNG" oncall
	[[ "$output" == *"nobody is on call"* ]]
}

@test "oncall test says what became of a message on each channel" {
	run "$RUNG" oncall test ana
	[ "$status" -eq 1 ]
	[[ "${lines[0]}" == failed*"mail ana@example.net: "* ]]
	[[ "${lines[1]}" == delivered*"command sh"* ]]
	[ "$(field person <ana)" = ana ]
	run "$RUNG" oncall test bo
	[ "$status" -eq 0 ]
	run "$RUNG" oncall test cy
	[[ "$output" == *'there is no person "cy"'* ]]
}

@test "a failure is told, escalate calls the next level, ack stops it" {
	run "$RUNG" run fails.md --auto
	[ "$status" -eq 1 ]
	until_there ana
	id=$(field incident <ana)
	[ "$(field reason <ana)" = "nothing helps (fails.md:8)" ]
	run "$RUNG" escalate "$id"
	[ "$status" -eq 2 ]
	run "$RUNG" escalate "$id" --reason "ana sleeps"
	[ "$status" -eq 0 ]
	[[ "$output" == *"incident $id: climbing, web, level 2"* ]]
	until_there bo
	[ "$(field reason <bo)" = "ana sleeps" ]
	run "$RUNG" ack "$id"
	[ "$status" -eq 0 ]
	run "$RUNG" escalate "$id" --to night --reason again
	[ "$status" -eq 0 ]
	[[ "$output" == *"climbing, night, level 1"* ]]
	run "$RUNG" escalate 01ZZZZZZ --reason x
	[ "$status" -ne 0 ]
	[[ "$output" == *"no incident and no execution"* ]]
}
