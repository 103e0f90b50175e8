# shellcheck shell=sh
# Puts a file in its place on a host, or prints one; below one folder, and never through a symbolic link out of it.
#
#   sh -c THIS rung-files put FOLDER PATH MODE SHA256 <CONTENT     SHA256 may be -: it is not looked at
#   sh -c THIS rung-files get FOLDER PATH
#
# Ends with 3 where it refuses, and the last line of its standard error says why. A file is whole or not there: it is written beside its place, and moved.

rung_refuse() {
	echo "$1" >&2
	exit 3
}

rung_digest() {
	if command -v sha256sum >/dev/null; then set -- "$(sha256sum <"$1")"; else set -- "$(shasum -a 256 <"$1")"; fi
	printf %s "${1%% *}"
}

rung_verb=$1 rung_folder=$2 rung_path=$3 rung_name=${3##*/}
umask 077
rung_root=$(cd -P -- "$rung_folder" && pwd -P) || rung_refuse "the folder $rung_folder is not there"
cd -P -- "${rung_path%/*}" || rung_refuse "the folder of $rung_path is not there"
case $(pwd -P)/ in
"${rung_root%/}"/*) ;;
*) rung_refuse "$rung_path leads out of $rung_folder" ;;
esac
[ ! -L "$rung_name" ] || rung_refuse "$rung_path is a symbolic link"

if [ "$rung_verb" = get ]; then
	[ -f "$rung_name" ] || rung_refuse "$rung_path is no file"
	rung_bytes=$(wc -c <"$rung_name") || exit 3
	[ "$rung_bytes" -le 8388608 ] || rung_refuse "$rung_path has $rung_bytes bytes, and 8 MiB can be got"
	rung_before=$(rung_digest "$rung_name")
	cat -- "$rung_name" || exit 3
	[ "$rung_before" = "$(rung_digest "$rung_name")" ] || rung_refuse "$rung_path was changed while it was read"
	exit 0
fi

[ ! -d "$rung_name" ] || rung_refuse "$rung_path is a folder"
rung_new=.rung-put.$$.$rung_name
trap 'rm -f -- "$rung_new"' EXIT
trap 'exit 3' HUP INT TERM
set -C
cat >"$rung_new" || rung_refuse "$rung_path cannot be written"
set +C
[ "$5" = - ] || [ "$5" = "$(rung_digest "$rung_new")" ] || rung_refuse "what came for $rung_path is not what was sent: it was left as it is"
chmod "$4" "$rung_new" && { sync "$rung_new" 2>/dev/null || sync; } && mv -f -- "$rung_new" "$rung_name" || rung_refuse "$rung_path cannot be written"
trap - EXIT
