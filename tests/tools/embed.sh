#!/bin/sh
# Prints C that holds the given Lua files: an array of {name, text, length}, the name being the file's without .lua.
set -eu
printf '/* Made from modules/ by the build. */\n#include "sandbox/worker/embedded.h"\n\n'
n=0
for f in "$@"; do
	[ -f "$f" ] || continue
	printf 'static const unsigned char text_%d[] = {\n' $n
	od -An -v -tu1 "$f" | sed 's/  *\([0-9][0-9]*\)/\1,/g'
	printf '0};\n'
	n=$((n + 1))
done
printf 'const struct embedded embedded_modules[] = {\n'
n=0
for f in "$@"; do
	[ -f "$f" ] || continue
	printf '\t{"%s", (const char *)text_%d, sizeof text_%d - 1},\n' "$(basename "$f" .lua)" $n $n
	n=$((n + 1))
done
printf '\t{0, 0, 0},\n};\n'
