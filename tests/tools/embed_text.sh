#!/bin/sh
# embed_text.sh HEADER NAME FILE: prints C that holds a text, as the array NAME that HEADER declares; without its lines that are only a comment.
set -eu
printf '/* Made from %s by the build. */\n#include "%s"\n\nconst char %s[] = {\n' "$3" "$1" "$2"
sed '/^[[:space:]]*#/d' "$3" | od -An -v -tu1 | sed 's/  *\([0-9][0-9]*\)/\1,/g'
printf '0};\n'
