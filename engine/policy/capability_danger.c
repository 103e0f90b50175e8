#include "policy/capability_parts.h"

#include <stdint.h>
#include <string.h>

/* Patterns that allow an interpreter with free arguments, and so every command. A list of names can never be complete: it names what stands in runbooks
 * and what people reach for. What a program of its own starts is for whoever writes the pattern to know. */

enum way {
	RUNS_REST,   /* options, then operands, then a command: sudo, timeout 5 COMMAND */
	RUNS_TEXT,   /* an option with a program text or a file with one: sh, python */
	RUNS_OPTION, /* some options start programs: find -exec, tar --checkpoint-action */
	RUNS_WORD,   /* some subcommands start programs: docker exec */
};

enum { WORDS_ALL = CAPABILITY_WORDS_MAX, NAME_BYTES_MAX = CAPABILITY_BYTES_MAX + 1, NAMES_MAX = 256 };

static const struct starter {
	const char *names; /* with a space around each, as in all these lists */
	enum way way;
	int operands;        /* RUNS_REST: how many stand before the command; RUNS_TEXT: before what is only data */
	const char *options; /* RUNS_REST, RUNS_TEXT: those with a value in the next word; RUNS_OPTION: those that start programs; RUNS_WORD: the subcommands */
	const char *code;    /* RUNS_TEXT: options whose value is program text */
} starters[] = {
    {" sudo doas run0 pkexec ", RUNS_REST, 0, " -u --user -g --group -h --host -p --prompt -C -D -R -T -U -r -t ", NULL},
    {" env ", RUNS_REST, 0, " -u --unset -C --chdir ", NULL},
    {" nohup exec command setsid nice ionice chrt taskset stdbuf time builtin strace ltrace fakeroot dbus-run-session ", RUNS_REST, 0,
     " -n --adjustment -c --class -p --pid -i -o -e -s -f ", NULL},
    {" timeout chroot flock setarch ", RUNS_REST, 1, " -k --kill-after -s --signal -w --timeout -E ", NULL},
    {" xargs parallel watch entr ", RUNS_REST, 0, " -a --arg-file -d --delimiter -E -I -L -n -P -s -j --interval --max-args --max-procs --max-lines ", NULL},
    {" unshare nsenter setpriv systemd-run systemd-inhibit systemd-nspawn bwrap firejail start-stop-daemon capsh script busybox toybox ", RUNS_REST, 0,
     " -t -p -u -M --unit --uid --gid --property --slice --machine --reuid --regid --pid ", NULL},
    {" su runuser ", RUNS_TEXT, WORDS_ALL, " -s --shell -g --group -G --supp-group -w --whitelist-environment ", " -c --command --session-command "},
    {" sh bash dash ash zsh ksh mksh rbash fish csh tcsh pwsh ", RUNS_TEXT, 0, " -o -O +o +O --rcfile --init-file ", " -c -s -Command "},
    {" python python2 python3 pypy pypy3 ", RUNS_TEXT, 0, " -W -X ", " -c -m "},
    {" perl ", RUNS_TEXT, 0, " -I ", " -e -E -ne -pe -M -m "},
    {" ruby lua luajit lua5.1 lua5.2 lua5.3 lua5.4 node nodejs deno bun tclsh expect guile Rscript java erl elixir osascript ", RUNS_TEXT, 0, " -I ",
     " -e -c -p -r -E -l -pe --eval --print --require "},
    {" php ", RUNS_TEXT, 0, " -d -c ", " -r -B -R -E -F -f "},
    {" awk gawk mawk nawk original-awk ", RUNS_TEXT, 0, " -F -v --assign --field-separator ", " -f -e -E --file --source --exec "},
    {" sed ", RUNS_TEXT, 0, " -l ", " -e --expression -f --file "},
    {" eval source . ssh mosh crontab vi vim nvim emacs gdb lldb screen tmux socat make gmake npx ansible ", RUNS_TEXT, WORDS_ALL, "  ", "  "},
    {" find ", RUNS_OPTION, 0, " -exec -execdir -ok -okdir ", NULL},
    {" tar bsdtar gtar ", RUNS_OPTION, 0,
     " --checkpoint-action --to-command --use-compress-program -I --info-script -F --new-volume-script --rsh-command --rmt-command ", NULL},
    {" git ", RUNS_OPTION, 0, " -c --config --config-env --exec-path --upload-pack --receive-pack --open-files-in-pager --extcmd ", NULL},
    {" rsync ", RUNS_OPTION, 0, " -e --rsh --rsync-path ", NULL},
    {" scp sftp ", RUNS_OPTION, 0, " -o -S -F -J ", NULL},
    {" nc ncat netcat ", RUNS_OPTION, 0, " -e -c --exec --sh-exec --lua-exec ", NULL},
    {" sort ", RUNS_OPTION, 0, " --compress-program ", NULL},
    {" split ", RUNS_OPTION, 0, " --filter ", NULL},
    {" zip ", RUNS_OPTION, 0, " -TT --unzip-command ", NULL},
    {" cpio ", RUNS_OPTION, 0, " --rsh-command ", NULL},
    {" man ", RUNS_OPTION, 0, " -P --pager -H --html ", NULL},
    {" at batch ", RUNS_OPTION, 0, " -f ", NULL},
    {" wget ", RUNS_OPTION, 0, " --use-askpass -e --execute --config ", NULL},
    {" apt apt-get apt-cache aptitude ", RUNS_OPTION, 0, " -o --option -c --config-file ", NULL},
    {" dpkg ", RUNS_OPTION, 0, " --pre-invoke --post-invoke --status-logger ", NULL},
    {" tcpdump ", RUNS_OPTION, 0, " -z --postrotate-command ", NULL},
    {" psql mysql mariadb sqlite3 ", RUNS_OPTION, 0, " -c --command -e --execute -f --file -cmd -init --init-command ", NULL},
    {" openssl ", RUNS_OPTION, 0, " -engine -provider ", NULL},
    {" docker podman nerdctl ", RUNS_WORD, 0, " run exec create build buildx compose ", NULL},
    {" kubectl oc ", RUNS_WORD, 0, " run exec debug plugin ", NULL},
    {" ip ", RUNS_WORD, 0, " exec ", NULL},
};

static const char every[] = "it allows every command", free_interpreter[] = "it allows an interpreter with free arguments, and so every command",
                  free_option[] = "its free arguments reach options that start programs, and so allow every command";

static bool in_list(const char *list, const char *word, size_t n)
{
	for (const char *at = list; n && (at = memmem(at, strlen(at), word, n)); at++)
		if (at > list && at[-1] == ' ' && at[n] == ' ') return true;
	return false;
}

static const struct starter *starter_of(const char *name)
{
	const char *slash = strrchr(name, '/');
	if (slash) name = slash + 1;
	for (size_t i = 0; i < sizeof starters / sizeof *starters; i++)
		if (in_list(starters[i].names, name, strlen(name))) return &starters[i];
	return NULL;
}

static bool has_free_piece(const struct glob *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->pieces[i].kind == PIECE_STAR || g->pieces[i].kind == PIECE_PARAM) return true;
	return g->is_rest;
}

/* The text in front of the first star or parameter; alternatives count as their first. */
static const char *prefix_of(const struct glob *g)
{
	const struct piece *p = g->pieces;
	if (g->count == 0) return "";
	return p->kind == PIECE_TEXT ? p->text : p->kind == PIECE_CHOICE ? p->choices[0] : "";
}

static const char *runs_rest(const struct starter *s, const struct glob *words, size_t count)
{
	int operands = s->operands;
	bool is_env = in_list(s->names, "env", 3) || in_list(s->names, "sudo", 4);
	for (size_t i = 1; i < count; i++) {
		const char *literal = glob_literal(&words[i]), *prefix = prefix_of(&words[i]);
		if (!literal && !(is_env && strchr(prefix, '=')) && *prefix != '-' && operands == 0) return command_danger(words + i, count - i);
		if (words[i].is_rest) return free_interpreter;
		if (*prefix == '-' && has_free_piece(&words[i]) && !strchr(prefix, '=')) return free_interpreter;
		if (*prefix == '-') {
			i += literal && in_list(s->options, literal, strlen(literal));
			continue;
		}
		if (is_env && strchr(prefix, '=')) continue;
		if (operands-- == 0) return command_danger(words + i, count - i);
	}
	return NULL;
}

/* Is the program's text written out, so that all that is free is data? */
static const char *runs_text(const struct starter *s, const struct glob *words, size_t count)
{
	int operands = s->operands;
	for (size_t i = 1; i < count; i++) {
		const char *literal = glob_literal(&words[i]), *prefix = prefix_of(&words[i]);
		if (literal && in_list(s->code, literal, strlen(literal))) return i + 1 < count && has_free_piece(&words[i + 1]) ? free_interpreter : NULL;
		if (has_free_piece(&words[i])) return free_interpreter;
		if (*prefix != '-' && *prefix != '+' && operands-- == 0) return NULL;
		i += literal && in_list(s->options, literal, strlen(literal)) && i + 1 < count && !has_free_piece(&words[i + 1]);
	}
	return NULL;
}

/* Could the prefix of a free word grow into one of the options, or carry a value of one? A parameter gives no names of options: `-{param:days}`. */
static bool reaches_option(const char *options, const struct glob *g)
{
	const char *prefix = prefix_of(g);
	size_t n = strlen(prefix);
	bool is_value = g->count > 1 && g->pieces[1].kind == PIECE_PARAM && strspn(prefix, "-") == n;
	if (*prefix != '-' || is_value) return false;
	for (const char *at = options + 1; *at; at += strcspn(at, " ") + 1) {
		size_t len = strcspn(at, " "), same = n < len ? n : len;
		bool is_long = at[1] == '-';
		if (strncmp(at, prefix, same) != 0) continue;
		if (n <= len || prefix[len] == '=' || !is_long) return true;
	}
	return false;
}

static const char *runs_option(const struct starter *s, const struct glob *words, size_t count)
{
	bool has_options = s->options[1] != 0;
	for (size_t i = 1; i < count && has_options; i++) {
		const char *literal = glob_literal(&words[i]);
		size_t left = count - i - 1;
		if (words[i].is_rest || (has_free_piece(&words[i]) && reaches_option(s->options, &words[i]))) return free_option;
		if (!literal || !in_list(s->options, literal, strlen(literal)) || left == 0) continue;
		/* -exec and the like: the words behind are a command; of the others one is a value. */
		const char *why = strncmp(literal, "-exec", 5) == 0 || strncmp(literal, "-ok", 3) == 0 ? command_danger(words + i + 1, left) : NULL;
		if (why || has_free_piece(&words[i + 1])) return why ? why : free_option;
	}
	return NULL;
}

static bool may_be_listed(const char *list, const struct glob *g)
{
	const struct piece *p = g->pieces;
	if (g->count != 1) return false;
	if (p->kind == PIECE_TEXT) return in_list(list, p->text, strlen(p->text));
	for (size_t i = 0; i < p->choice_count; i++)
		if (in_list(list, p->choices[i], strlen(p->choices[i]))) return true;
	return false;
}

static const char *runs_word(const struct starter *s, const struct glob *words, size_t count)
{
	bool is_starting = false;
	for (size_t i = 1; i < count; i++) {
		bool is_free = has_free_piece(&words[i]);
		if (i == 1 && is_free && *prefix_of(&words[i]) != '-') return free_interpreter;
		is_starting = is_starting || may_be_listed(s->options, &words[i]);
		if (is_starting && is_free && i + 1 == count) return free_interpreter;
	}
	return NULL;
}

static const char *danger_of(const struct starter *s, const struct glob *words, size_t count)
{
	switch (s->way) {
	case RUNS_REST:
		return runs_rest(s, words, count);
	case RUNS_TEXT:
		return runs_text(s, words, count);
	case RUNS_OPTION:
		return runs_option(s, words, count);
	case RUNS_WORD:
		return runs_word(s, words, count);
	}
	return NULL;
}

/* The names that the first word can have, one after another. */
struct names {
	const struct glob *words;
	size_t count, tried;
	char name[NAME_BYTES_MAX];
};

static const char *name_danger(struct names *all, size_t piece, size_t n)
{
	const struct piece *p = piece < all->words[0].count ? &all->words[0].pieces[piece] : NULL;
	const char *why = NULL;
	if (!p) {
		const struct starter *s = starter_of(all->name);
		return all->tried++ == NAMES_MAX ? every : s ? danger_of(s, all->words, all->count) : NULL;
	}
	for (size_t i = 0; i < (p->kind == PIECE_CHOICE ? p->choice_count : 1) && !why; i++) {
		const char *text = p->kind == PIECE_CHOICE ? p->choices[i] : p->text;
		size_t len = strlen(text);
		must(n + len < NAME_BYTES_MAX);
		memcpy(all->name + n, text, len + 1);
		why = name_danger(all, piece + 1, n + len);
	}
	return why;
}

const char *command_danger(const struct glob *words, size_t count)
{
	struct names all = {.words = words, .count = count};
	return has_free_piece(&words[0]) ? every : name_danger(&all, 0, 0);
}
