#!/bin/sh
# Prints C that holds the documentation of the given Lua modules: the rows of sandbox/module_docs.h, made from comments of the form
#
#   --- disk.files(path, options)            a call; several in a row share what follows; `--- module disk` is the module itself
#   -- The biggest files of its file system. what it does
#   -- @param path path: absolute            NAME TYPE[?][ = DEFAULT]: TEXT
#   -- @option count int = 5: how many
#   -- @return, @needs, @effect, @limit, @row TEXT
#   -- @example                              the lines behind it, indented by two more spaces
#
# What cannot be read so ends the build.
set -eu
printf '/* Made from modules/ by the build. */\n#include "sandbox/module_docs.h"\n\nconst struct module_doc module_docs[] = {\n'
awk '
	function quoted(s) { gsub(/\\/, "&&", s); gsub(/"/, "\\\"", s); gsub(/\n/, "\\n", s); return "\"" s "\"" }
	function row(tag, name, type, fallback, text) { printf "\t{%s, %s, %s, %s, %s, %s},\n", quoted(module), quoted(tag), quoted(name), quoted(type), quoted(fallback), quoted(text) }
	function fault(why) { print FILENAME ":" FNR ": " why > "/dev/stderr"; failed = 1; exit 1 }
	# A text or an example may have many lines: it is a row once something else comes.
	function flush() {
		if (pending == "text" || pending == "example") row(pending, "", "", "", held)
		pending = ""; held = ""
	}
	function value(tag, rest, at, head, name, type, fallback) {
		at = index(rest, ": ")
		if (!at) fault("NAME TYPE: TEXT was expected behind @" tag)
		head = substr(rest, 1, at - 1)
		name = head; sub(/ .*/, "", name)
		type = substr(head, length(name) + 2)
		fallback = ""
		if (match(type, / = /)) { fallback = substr(type, RSTART + 3); type = substr(type, 1, RSTART - 1) }
		if (name == "" || type == "") fault("NAME TYPE: TEXT was expected behind @" tag)
		row(tag, name, type, fallback, substr(rest, at + 2))
	}
	FNR == 1 { flush(); inside = 0; module = FILENAME; sub(/.*\//, "", module); sub(/\.lua$/, "", module) }
	/^--- / {
		flush()
		inside = 1
		name = substr($0, 5)
		if (name == "module " module) row("module", module, "", "", "")
		else if (name ~ /^[a-z]+([.:][a-z_]+)?(\(.*\))?$/) row("call", name, "", "", "")
		else fault("a call, as --- disk.files(path, options), or --- module " module " was expected")
		next
	}
	inside && /^-- @example$/ { flush(); pending = "example"; next }
	inside && /^-- @/ {
		flush()
		tag = $2; sub(/^@/, "", tag)
		rest = substr($0, length("-- @" tag) + 2)
		if (tag == "param" || tag == "option") value(tag, rest)
		else if (tag ~ /^(return|needs|effect|limit|row)$/) row(tag, "", "", "", rest)
		else fault("there is no tag @" tag)
		next
	}
	inside && pending == "example" && /^--   / { held = held (held == "" ? "" : "\n") substr($0, 6); next }
	inside && /^-- / && pending != "example" { if (pending != "text") flush(); pending = "text"; held = held (held == "" ? "" : " ") substr($0, 4); next }
	{ if (inside) flush(); inside = 0 }
	END { if (failed) exit 1; flush() }
' "$@"
printf '\t{0, 0, 0, 0, 0, 0},\n};\n'
