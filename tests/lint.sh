#!/bin/sh
# Looks for faults without running the program.
#
#   tests/lint.sh           everything
#   tests/lint.sh PART...   some: layers names docs format scripts clang tidy
#
# Each part speaks TAP, so that tests/run.sh counts layers, names and docs as tests.
set -eu
cd "$(dirname "$0")/.."
B=${B:-build}
failed=0

# result NAME FINDINGS: no findings, no fault
result() {
	if [ -z "$2" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		echo "$2" | head -n 60 | sed 's/^/# /'
		failed=1
	fi
}

files() { git ls-files --cached --others --exclude-standard "$@" | while read -r f; do [ ! -e "$f" ] || echo "$f"; done; }

# Includes point down this order; within engine/ every include names its layer.
part_layers() {
	result "includes point down the order of layers" "$(files 'engine/*.[ch]' 'modules/*.[ch]' | xargs awk '
		function layer(path, parts) { split(path, parts, "/"); return parts[1] }
		BEGIN {
			n = split("base book policy flow journal store sandbox alert escalate report service http cli", order, " ")
			for (i = 1; i <= n; i++) rank[order[i]] = i
			rank["main.c"] = n + 1
			rank["modules"] = rank["sandbox"]
		}
		FNR == 1 {
			mine = FILENAME
			if (!sub(/^engine\//, "", mine)) mine = "modules/"
			mine = layer(mine)
			if (!(mine in rank)) print FILENAME ":1: " mine " is no layer"
		}
		/^[ \t]*#[ \t]*include[ \t]*"/ {
			name = $0
			sub(/^[^"]*"/, "", name)
			sub(/".*/, "", name)
			theirs = layer(name)
			if (!(theirs in rank)) print FILENAME ":" FNR ": \"" name "\" names no layer"
			else if (rank[theirs] > rank[mine]) print FILENAME ":" FNR ": " mine " includes " name ", which stands above it"
		}' | grep -v '"gen/')"
	result "book, policy, flow, journal and alert do no input and output of their own" "$(files 'engine/book/*.[ch]' 'engine/policy/*.[ch]' 'engine/flow/*.[ch]' 'engine/journal/*.[ch]' 'engine/alert/*.[ch]' |
		xargs grep -nE '#include <(uv|sqlite3|lua|lauxlib|seccomp|curl/|libssh|sys/socket|sys/wait|spawn|poll|pthread)' || true)"
	result "only the worker knows Lua and seccomp, only the store SQLite" "$({
		files 'engine/*.[ch]' | grep -v '^engine/sandbox/worker/' | xargs grep -nE '#include <(lua|lauxlib|lualib|seccomp)' || true
		files 'engine/*.[ch]' | grep -v '^engine/store/' | xargs grep -nE '#include <sqlite3' || true
	} | grep -v '^engine/cli/.*doctor' || true)"
	result "nothing but the worker includes the worker" "$(files 'engine/*.[ch]' | grep -v '^engine/sandbox/worker/' | xargs grep -n '#include "sandbox/worker/' || true)"
	result "the worker includes base and sandbox only" "$(files 'engine/sandbox/worker/*.[ch]' | xargs grep -nE '#include "(book|policy|flow|journal|store|alert|report|service|cli)/' || true)"
}

part_names() {
	result "the top level holds what belongs there" "$(files | sed 's,/.*,,' | sort -u | grep -vxE 'engine|runbooks|playbooks|modules|tests|Makefile|README\.md|\..*' || true)"
	# A comment that begins with such a word; a word put together here, so that this file does not hold it.
	result "nothing is left for later" "$(files | xargs grep -nIE "(//|/\*|#|--|;)[[:space:]]*$(printf '(TO%s|FIX%s|XX%s)' DO ME X)\\b" || true)"
	result "no path of one machine" "$(files | xargs grep -nIE "(^|[^A-Za-z0-9_.])/$(printf '(wo%s|home/[a-z]+)' rk)/" || true)"
	result "no file over 700 lines" "$(files 'engine/*.[ch]' 'modules/*.[ch]' 'modules/*.lua' | xargs awk '{ lines[FILENAME]++ } END { for (f in lines) if (lines[f] > 700) print f ": " lines[f] " lines" }')"
	result "every folder of modules has its README" "$(for d in modules/*/; do [ -e "${d}README.md" ] || echo "$d"; done)"
}

pages() { files '*.md' | grep -vE '^tests/(fixtures|golden|fuzz/seeds)/'; }

part_docs() {
	result "local links of the documentation lead somewhere" "$(pages | while read -r page; do
		# Fenced text is somebody's example.
		awk '/^ *(```|~~~)/ { fenced = !fenced } !fenced' "$page" | grep -oE '\]\([^)#: ]+[)#]' | sed -E 's/^\]\(//; s/[)#]$//' | while read -r link; do
			[ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
		done
	done)"
	result "the files that engine/README.md names are there" "$(sed -nE 's/^\|.*\| *(`[^|]*)\|$/\1/p' engine/README.md | grep -oE '`[a-z_.*/]+\.[ch]`' | tr -d '`' | while read -r name; do
		find engine -path "engine/$name" -o -path "engine/*/$name" | grep -q . || echo "engine/README.md: $name"
	done)"
	result "every attribute of a step is in runbooks/README.md" "$(sed -nE 's/^[[:space:]]*\{"([a-z_]+)", [A-Z_]+, .*/\1/p' engine/book/step_attributes.c | while read -r name; do
		grep -qE "\`($name|\{$name\})\`|\{$name\}" runbooks/README.md || echo "$name"
	done)"
	result "every module is in modules/README.md" "$(for d in modules/*/; do d=$(basename "$d") && { grep -q "$d" modules/README.md || echo "$d"; }; done)"
	result "every folder of engine/ is in engine/README.md" "$(for d in engine/*/; do d=$(basename "$d") && { grep -q "\`$d/" engine/README.md || echo "$d"; }; done)"
	result "every fault of tests/mutants/ has its line in the code and its row" "$(python3 tests/mutants/mutants.py --check | grep -v '^# ')"
	result "every target of the Makefile is in its help" "$(sed -nE 's/^\.PHONY: *//p' Makefile | tr ' ' '\n' | grep -vxE 'fuzzers|replays|help' | while read -r target; do
		make --no-print-directory help | grep -q "^$target " || echo "$target"
	done)"
}

part_format() {
	result "clang-format has nothing to change" "$(files '*.[ch]' | xargs clang-format --dry-run 2>&1 | grep -E 'warning:|error:' || true)"
}

part_scripts() {
	result "scripts are well formed" "$({
		for f in $(files '*.sh' '.ci/run'); do sh -n "$f" 2>&1 || true; done
		for f in $(files '*.py'); do python3 -c 'import ast,sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$f" 2>&1 | tail -n 1; done
		for f in $(files '*.bats'); do bats --count "$f" >/dev/null 2>&1 || echo "$f: bats cannot read it"; done
	})"
}

part_clang() {
	log=$B/clang/build.log
	mkdir -p "$B/clang"
	if make --no-print-directory -j"$(nproc)" -k CC=clang B="$B/clang" all units >"$log" 2>&1; then result "clang builds it without a warning" ""
	else result "clang builds it without a warning" "$(grep -E 'error:|\*\*\*' "$log")"; fi
}

part_tidy() {
	result "clang-tidy finds nothing" "$(files 'engine/*.c' 'modules/*.c' | xargs -P "$(nproc)" -n 1 sh -c '
		include="-include tests/tools/analyzer.h"
		[ "$0" != engine/base/error.c ] || include=
		clang-tidy --quiet "$0" -- -std=c11 -D_GNU_SOURCE -DRUNG_VERSION="\"0\"" -Iengine -I. -I/usr/include/lua5.4 $include 2>/dev/null' |
		grep -E '(warning|error):' | sort -u || true)"
}

[ $# -gt 0 ] || set -- layers names docs format scripts clang tidy
for part in "$@"; do
	case $part in
	layers | names | docs | format | scripts | clang | tidy) "part_$part" ;;
	*)
		echo "tests/lint.sh: no part $part (layers names docs format scripts clang tidy)" >&2
		exit 2
		;;
	esac
done
exit $failed
