#include "policy/capability_parts.h"

#include "base/text.h"

#include <ctype.h>
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

static const struct starter {
	const char *names; /* with a space around each */
	enum way way;
	int operands; /* RUNS_REST: how many before the command */
	const char
	    *options; /* RUNS_REST, RUNS_TEXT: those that take a value in the next word; RUNS_OPTION: those that start programs; RUNS_WORD: the subcommands */
	const char *code; /* RUNS_TEXT: options whose value is program text */
} starters[] = {
    {" sudo doas run0 ", RUNS_REST, 0, " -u --user -g --group -h --host -p --prompt -C -D -R -T -U -r -t ", NULL},
    {" su runuser ", RUNS_TEXT, 0, " -s --shell -g --group -G --supp-group -w --whitelist-environment ", " -c --command --session-command "},
    {" env ", RUNS_REST, 0, " -u --unset -C --chdir ", NULL},
    {" nohup exec command setsid nice ionice chrt taskset stdbuf time builtin strace ltrace unbuffer catchsegv eatmydata fakeroot pkexec dbus-run-session ",
     RUNS_REST, 0, " -n --adjustment -c -p -i -o -e -s -f ", NULL},
    {" timeout chroot flock capsh setarch linux32 linux64 ", RUNS_REST, 1, " -k --kill-after -s --signal -w --timeout -E ", NULL},
    {" xargs parallel watch entr ", RUNS_REST, 0, " -a --arg-file -d --delimiter -E -I -L -n -P -s -j -n --interval --max-args --max-procs --max-lines ", NULL},
    {" unshare nsenter setpriv systemd-run systemd-inhibit systemd-nspawn bwrap firejail start-stop-daemon chpst script busybox toybox ", RUNS_REST, 0,
     " -t -p -u -M --unit --uid --gid --property --slice --machine --reuid --regid --pid ", NULL},
    {" sh bash dash ash zsh ksh mksh rbash fish csh tcsh pwsh ", RUNS_TEXT, 0, " -o -O +o +O --rcfile --init-file ", " -c -lc -ec -xc -euc -ic -s -Command "},
    {" python python2 python3 pypy pypy3 ", RUNS_TEXT, 0, " -W -X ", " -c -m "},
    {" perl ", RUNS_TEXT, 0, " -I -M -m ", " -e -E -ne -pe -i -M -m "},
    {" ruby lua luajit lua5.1 lua5.3 lua5.4 node nodejs deno bun tclsh expect guile Rscript R julia ghc java jshell erl elixir groovy scala osascript ",
     RUNS_TEXT, 0, " -I -r -l ", " -e -c -p -r -E -l -pe --eval --print --require "},
    {" php ", RUNS_TEXT, 0, " -d -c ", " -r -B -R -E -F -f "},
    {" awk gawk mawk nawk original-awk ", RUNS_TEXT, 0, " -F -v --assign --field-separator ", " -f -e -E --file --source --exec "},
    {" sed ", RUNS_TEXT, 0, " -l ", " -e --expression -f --file "},
    {" eval source . ssh-agent at batch crontab ssh scp sftp vi vim view nvim emacs nano ed ex less more gdb lldb screen tmux mosh telnet nc ncat netcat "
     "socat ",
     RUNS_TEXT, 0, " ", " "},
    {" make gmake ninja ant mvn gradle npm npx yarn pnpm pip pip3 gem cargo ansible ansible-playbook terraform ", RUNS_TEXT, 0, " -C -j ",
     " --eval -f --file --makefile "},
    {" find ", RUNS_OPTION, 0, " -exec -execdir -ok -okdir -fprintf -fprint -fls -fprint0 ", NULL},
    {" tar bsdtar gtar ", RUNS_OPTION, 0,
     " --checkpoint-action --to-command --use-compress-program -I --info-script -F --new-volume-script --rsh-command --rmt-command ", NULL},
    {" git ", RUNS_OPTION, 0,
     " -c --config-env --exec-path --upload-pack --receive-pack -u --exec -O --open-files-in-pager --config --template -x --ext-diff --extcmd ", NULL},
    {" rsync ", RUNS_OPTION, 0, " -e --rsh --rsync-path --config ", NULL},
    {" sort ", RUNS_OPTION, 0, " --compress-program ", NULL},
    {" split ", RUNS_OPTION, 0, " --filter ", NULL},
    {" zip ", RUNS_OPTION, 0, " -TT --unzip-command ", NULL},
    {" cpio ", RUNS_OPTION, 0, " --rsh-command ", NULL},
    {" man ", RUNS_OPTION, 0, " -P --pager -H --html -X ", NULL},
    {" wget ", RUNS_OPTION, 0, " --use-askpass -e --execute --config ", NULL},
    {" curl ", RUNS_OPTION, 0, " -K --config -o --output -O --remote-name ", NULL},
    {" apt apt-get aptitude apt-cache ", RUNS_OPTION, 0, " -o --option -c --config-file ", NULL},
    {" dpkg ", RUNS_OPTION, 0, " --pre-invoke --post-invoke --status-logger ", NULL},
    {" tcpdump ", RUNS_OPTION, 0, " -z --postrotate-command -w ", NULL},
    {" nmap ", RUNS_OPTION, 0, " --script --interactive ", NULL},
    {" psql mysql mariadb sqlite3 ", RUNS_OPTION, 0, " -c --command -e --execute -f --file -cmd -init --init-command ", NULL},
    {" openssl ", RUNS_OPTION, 0, " -engine -provider -config ", NULL},
    {" journalctl systemctl ", RUNS_OPTION, 0, " ", NULL},
    {" docker podman nerdctl ", RUNS_WORD, 0, " run exec create build buildx compose start ", NULL},
    {" kubectl oc k3s ", RUNS_WORD, 0, " run exec debug attach cp edit plugin kubectl ", NULL},
    {" ip ", RUNS_WORD, 0, " netns vrf ", NULL},
    {" helm ", RUNS_WORD, 0, " plugin install upgrade template ", NULL},
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

/* Is a text written out of which everything else is only data? */
static const char *runs_text(const struct starter *s, const struct glob *words, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		const char *literal = glob_literal(&words[i]), *prefix = prefix_of(&words[i]);
		if (literal && in_list(s->code, literal, strlen(literal))) return i + 1 < count && has_free_piece(&words[i + 1]) ? free_interpreter : NULL;
		if (has_free_piece(&words[i])) return free_interpreter;
		if (*prefix != '-' && *prefix != '+') return NULL;
		i += literal && in_list(s->options, literal, strlen(literal)) && i + 1 < count && !has_free_piece(&words[i + 1]);
	}
	return NULL;
}

/* Could the prefix of a free word grow into one of the options, or carry a value of one? */
static bool reaches_option(const char *options, const char *prefix)
{
	size_t n = strlen(prefix);
	if (*prefix != '-') return false;
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
		if (words[i].is_rest || (has_free_piece(&words[i]) && reaches_option(s->options, prefix_of(&words[i])))) return free_option;
		if (!literal || !in_list(s->options, literal, strlen(literal)) || left == 0) continue;
		/* -exec and the like: the words behind are a command; of the others one is a value. */
		const char *why = strncmp(literal, "-exec", 5) == 0 || strncmp(literal, "-ok", 3) == 0 ? command_danger(words + i + 1, left) : NULL;
		if (why || has_free_piece(&words[i + 1])) return why ? why : free_option;
	}
	return NULL;
}

static const char *runs_word(const struct starter *s, const struct glob *words, size_t count)
{
	bool is_starting = false;
	for (size_t i = 1; i < count; i++) {
		const char *literal = glob_literal(&words[i]);
		bool is_last = i + 1 == count;
		if (i == 1 && !literal) return words[i].count == 1 && words[i].pieces[0].kind == PIECE_CHOICE ? NULL : free_interpreter;
		is_starting = is_starting || (literal && in_list(s->options, literal, strlen(literal)));
		if (is_starting && has_free_piece(&words[i]) && (words[i].is_rest || is_last)) return free_interpreter;
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

const char *command_danger(const struct glob *words, size_t count)
{
	const struct glob *name = &words[0];
	if (has_free_piece(name)) return every;
	for (size_t i = 0; i < (name->pieces[0].kind == PIECE_CHOICE ? name->pieces[0].choice_count : 1); i++) {
		const struct starter *s = starter_of(name->pieces[0].kind == PIECE_CHOICE ? name->pieces[0].choices[i] : name->pieces[0].text);
		const char *why = s ? danger_of(s, words, count) : NULL;
		if (why) return why;
	}
	return NULL;
}
