# rung hosts, and what check and show say of hosts.

bats_require_minimum_version 1.5.0

setup() {
	W=$(mktemp -d)
	cd "$W" || exit 1
	mkdir -p .rung runbooks
	cat >.rung/inventory.yaml <<-'END'
		version: 1
		hosts:
		  gate: {address: 203.0.113.9, login: jump, host_keys: "SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}
		  web-[01:03]: {address: "10.0.1.[1:3]", groups: [eu-web], labels: {role: web, zone: a}}
		  web-04: {address: "{name}.example.net", groups: [us-web], port: 2200, labels: {role: web, zone: b, note: "west 1"}}
		groups:
		  all: {login: ops}
		  web: {children: [eu-web, us-web], jump: gate}
	END
	book 'role=web' gate
}

teardown() {
	[ ! -e "$W/.rung/state/engine.pid" ] || kill "$(cat "$W/.rung/state/engine.pid")"
	cd / && rm -rf "$W"
}

# The book with these defaults.
book() {
	cat >runbooks/restart.md <<-END
		# Restart

		## Parameters

		| Name | Type | Default | Description |
		|---|---|---|---|
		| hosts | hosts | $1 | Where |
		| from | host | $2 | From where |

		## Steps

		1. Look

		   \`\`\`lua {risk=read}
		   return {n = #params.hosts}
		   \`\`\`
	END
}

field() { python3 -c '
import json, sys
v = json.load(sys.stdin)
for part in sys.argv[1].split("."):
    v = v[int(part)] if part.isdigit() else v[part]
print(v if isinstance(v, str) else json.dumps(v))' "$1"; }

@test "all hosts, a line each: name, address, how it is reached, where it stands, groups, labels" {
	run -0 "$RUNG" hosts
	[[ $output == *"gate    203.0.113.9              jump                  line 3  -"* ]]
	[[ $output == *"web-02  10.0.1.2                 ops via gate, no key  line 4  eu-web,web  role=web zone=a"* ]]
	[[ $output == *"web-04  web-04.example.net:2200  ops via gate, no key  line 5  us-web,web  note=\"west 1\" role=web zone=b"* ]]
	[[ $output == *"5 hosts"* ]]
}

@test "the words of the command line are a query" {
	[ "$("$RUNG" hosts --names role=web and not zone=b 2>/dev/null | tr '\n' ' ')" = "web-01 web-02 web-03 " ]
	[ "$("$RUNG" hosts --names web-04, web 2>/dev/null | tr '\n' ' ')" = "web-04 web-01 web-02 web-03 " ]
	run -0 "$RUNG" hosts 10.0.0.7
	[[ $output == *"10.0.0.7  10.0.0.7  -, no key  not in it  -"* ]]
}

@test "as JSON, with everything" {
	[ "$("$RUNG" hosts --json web-04 | field 0)" = '{"name": "web-04", "address": "web-04.example.net", "port": 2200, "login": "ops", "jump": "gate", "labels": {"note": "west 1", "role": "web", "zone": "b"}, "groups": ["us-web", "web"], "from": ["file"], "line": 5}' ]
	[ "$("$RUNG" hosts --json gate | field 0.host_keys.0)" = SHA256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8 ]
	"$RUNG" hosts --json | field 4.name | grep -qx web-04
}

@test "what is not there is said, and is not an empty list" {
	run -3 "$RUNG" hosts rol=web
	[[ $output == *'no host has a label "rol": did you mean "role"?'* ]]
	run -3 "$RUNG" hosts web-05
	[[ $output == *'there is no host or group "web-05": did you mean "web-01"?'* ]]
	run -3 "$RUNG" hosts 'role=web and'
	[[ $output == *'the query ends where a host, a group or label=value was expected'* ]]
	run -1 "$RUNG" hosts role=db
	[[ $output == *'no host matches "role=db"'* ]]
	rm .rung/inventory.yaml
	run "$RUNG" hosts
	[ "$status" -ne 0 ]
	[[ $output == *"there is no .rung/inventory.yaml here"* ]]
}

@test "an inventory that is wrong is refused with the place" {
	printf 'version: 1\nhosts:\n  a: {adress: x}\n' >.rung/inventory.yaml
	run -3 "$RUNG" hosts
	[[ $output == *'.rung/inventory.yaml:3:7: a host has no "adress": did you mean "address"?'* ]]
	run -3 "$RUNG" check runbooks/restart.md
	[[ $output == *'.rung/inventory.yaml:3:7: error inventory: a host has no "adress"'* ]]
}

@test "check says which hosts of a book are not there" {
	run -0 "$RUNG" check runbooks/restart.md
	[[ $output != *unknown-hosts* ]]
	book 'role=web and zone=c' gat
	run -0 "$RUNG" check runbooks/restart.md
	[[ $output == *'runbooks/restart.md:7:1: warning unknown-hosts: the default of parameter hosts: no host matches "role=web and zone=c"'* ]]
	[[ $output == *'runbooks/restart.md:8:1: warning unknown-hosts: the default of parameter from: there is no host "gat": did you mean "gate"?'* ]]
	book 'role=web and' gate
	run -3 "$RUNG" check runbooks/restart.md
	[[ $output == *'error parameter-default: the default of parameter hosts is no query of hosts'* ]]
	# From beneath the workspace, too.
	book 'group=webs' www.example.net
	cd runbooks
	run -0 "$RUNG" check restart.md
	[[ $output == *'there is no group "webs": did you mean "web"?'* ]]
	[[ $output != *www.example.net* ]]
}

@test "check looks at the queries and hosts that the Lua of a book writes out" {
	book 'role=web' gate
	sed -i 's/return {n = #params.hosts}/local a = hosts("rol=web") local b = hosts("role=db") local c = hosts("role=db", {empty = true})\n   hosts("role=") ssh("web-9", {"true"}) ssh("web-01", {"true"})/' runbooks/restart.md
	run -3 "$RUNG" check runbooks/restart.md
	[[ $output == *'restart.md:15:1: warning unknown-hosts: hosts("rol=web"): hosts "rol=web": character 1: no host has a label "rol": did you mean "role"?'* ]]
	[[ $output == *'restart.md:15:1: warning unknown-hosts: hosts("role=db"): no host matches "role=db"'* ]]
	[ "$(grep -c 'no host matches' <<<"$output")" -eq 1 ]
	[[ $output == *'restart.md:16:1: error hosts-query: hosts("role=") is no query of hosts: the query ends where a value was expected'* ]]
	[[ $output == *'restart.md:16:1: warning unknown-hosts: ssh: there is no host "web-9"'* ]]
	[[ $output != *'no host "web-01"'* ]]
}

@test "check runs no command: of what it would name nothing is said" {
	printf 'version: 1\ndynamic: {command: [/bin/sh, -c, "touch ran; echo {}"]}\n' >.rung/inventory.yaml
	run -0 "$RUNG" check runbooks/restart.md
	[[ $output != *unknown-hosts* ]]
	[ ! -e ran ]
}

@test "the plan has the hosts and the query they came of" {
	[ "$("$RUNG" show --stage plan runbooks/restart.md | field params.hosts)" = '["web-01", "web-02", "web-03", "web-04"]' ]
	[ "$("$RUNG" show --stage plan runbooks/restart.md | field queries.hosts)" = role=web ]
	[ "$("$RUNG" show --stage plan runbooks/restart.md | field params.from)" = gate ]
	book 'zone=q' gate
	run -3 "$RUNG" show --stage plan runbooks/restart.md
	[[ $output == *'parameter hosts: no host matches "zone=q"'* ]]
}

@test "the help has the format and the queries" {
	run -0 "$RUNG" help inventory
	[[ $output == *"web-[01:40]"* && $output == *"role=web"* && $output == *"ansible-inventory"* ]]
}

@test "where the inventory names a command the engine runs it, for hosts, for the plan and for a run" {
	printf '#!/bin/sh\necho run >>ran\necho %s\n' "'{\"web\": {\"hosts\": [\"web-2\", \"web-1\"], \"vars\": {\"ansible_user\": \"deploy\", \"role\": \"web\", \"password\": \"hunter22\"}}}'" >list.sh
	chmod 755 list.sh
	printf 'version: 1\nhosts: {gate: {}}\ndynamic: {command: [%s/list.sh], labels: [role]}\n' "$PWD" >.rung/inventory.yaml
	export XDG_STATE_HOME=$PWD/xdg
	run -0 "$RUNG" hosts
	[[ $output == *"gate   gate     -, no key       line 3   -"* ]] || [[ $output == *"gate   gate   -, no key"* ]]
	[[ $output == *"web-1  web-1  deploy, no key  command  web  role=web"* ]]
	[[ $output != *hunter22* ]]
	[ "$("$RUNG" show --stage plan runbooks/restart.md | field params.hosts)" = '["web-1", "web-2"]' ]
	run -0 "$RUNG" run runbooks/restart.md --auto --allow declared
	[[ $output == *"hosts = "* ]]
	[ "$(wc -l <ran)" -eq 1 ]
	printf '#!/bin/sh\necho no credentials >&2; exit 3\n' >list.sh
	printf 'version: 1\ndynamic: {command: [%s/list.sh], cache: 0s}\n' "$PWD" >.rung/inventory.yaml
	run -1 "$RUNG" hosts
	[[ $output == *"list.sh) ended with exit status 3, and said: no credentials"* ]]
}
