#include "book/shell.h"

#include <ctype.h>
#include <string.h>

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const char *const languages[] = {"sh",           "bash",       "shell", "console",  "zsh",         "shell-session",
                                        "shellsession", "sh-session", "ksh",   "terminal", "bash-session"};

/* First words of the commands in public runbooks. */
static const char *const commands[] = {
    "ansible",
    "ansible-playbook",
    "apk",
    "apt",
    "apt-get",
    "argocd",
    "aws",
    "awk",
    "az",
    "base64",
    "blkid",
    "brew",
    "bundle",
    "calicoctl",
    "cargo",
    "cat",
    "cd",
    "ceph",
    "certbot",
    "chef-client",
    "chgrp",
    "chmod",
    "chown",
    "cilium",
    "composer",
    "consul",
    "cp",
    "crictl",
    "crontab",
    "ctr",
    "curl",
    "cut",
    "date",
    "dd",
    "df",
    "dig",
    "dmesg",
    "dnf",
    "docker",
    "docker-compose",
    "dpkg",
    "du",
    "echo",
    "eksctl",
    "env",
    "etcdctl",
    "export",
    "fdisk",
    "find",
    "flux",
    "free",
    "fsck",
    "fuser",
    "gcloud",
    "gem",
    "gh",
    "git",
    "glab",
    "gpg",
    "grep",
    "gsutil",
    "gzip",
    "head",
    "helm",
    "helmfile",
    "host",
    "hostname",
    "id",
    "ifconfig",
    "iostat",
    "ip",
    "iptables",
    "istioctl",
    "java",
    "jq",
    "journalctl",
    "kafka-topics",
    "kill",
    "killall",
    "kinit",
    "knife",
    "kubeadm",
    "kubectl",
    "kubectx",
    "kubens",
    "kustomize",
    "ldapsearch",
    "ln",
    "logrotate",
    "ls",
    "lsblk",
    "lsof",
    "lvextend",
    "lvs",
    "make",
    "mkdir",
    "mkfs",
    "mongo",
    "mongosh",
    "mount",
    "mv",
    "mysql",
    "mysqladmin",
    "mysqldump",
    "nc",
    "netstat",
    "nginx",
    "nmap",
    "node",
    "nodetool",
    "npm",
    "npx",
    "nslookup",
    "ntpq",
    "oc",
    "openssl",
    "patronictl",
    "pg_ctl",
    "pg_dump",
    "pg_restore",
    "pgrep",
    "php",
    "ping",
    "pip",
    "pip3",
    "pkill",
    "podman",
    "promtool",
    "ps",
    "psql",
    "puppet",
    "pvs",
    "pwd",
    "python",
    "python3",
    "rabbitmqctl",
    "reboot",
    "redis-cli",
    "resize2fs",
    "rm",
    "rsync",
    "sar",
    "scp",
    "screen",
    "sed",
    "service",
    "sftp",
    "sleep",
    "snap",
    "sort",
    "source",
    "sqlite3",
    "ss",
    "ssh",
    "ssh-add",
    "ssh-keygen",
    "stern",
    "strace",
    "su",
    "sudo",
    "supervisorctl",
    "swapoff",
    "swapon",
    "sysctl",
    "systemctl",
    "tail",
    "tar",
    "tcpdump",
    "tee",
    "telnet",
    "terraform",
    "tf",
    "timedatectl",
    "top",
    "touch",
    "traceroute",
    "tsh",
    "umount",
    "uname",
    "unzip",
    "uptime",
    "vault",
    "velero",
    "vgs",
    "vi",
    "vim",
    "virtctl",
    "vmstat",
    "w",
    "watch",
    "wc",
    "wget",
    "which",
    "xargs",
    "xfs_growfs",
    "yarn",
    "yum",
    "zcat",
    "zfs",
    "zgrep",
    "zpool",
    "zypper",
};

static const char *const environment[] = {
    "BASH",
    "BASHPID",
    "BASH_SOURCE",
    "BASH_VERSION",
    "COLUMNS",
    "DISPLAY",
    "EDITOR",
    "EUID",
    "FUNCNAME",
    "GID",
    "HISTFILE",
    "HOME",
    "HOSTNAME",
    "HOSTTYPE",
    "IFS",
    "KUBECONFIG",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_CTYPE",
    "LINENO",
    "LINES",
    "LOGNAME",
    "MAIL",
    "MANPATH",
    "OLDPWD",
    "OPTARG",
    "OPTIND",
    "OSTYPE",
    "PAGER",
    "PATH",
    "PIPESTATUS",
    "PPID",
    "PS1",
    "PWD",
    "RANDOM",
    "REPLY",
    "SECONDS",
    "SHELL",
    "SHLVL",
    "SSH_AGENT_PID",
    "SSH_AUTH_SOCK",
    "SSH_CONNECTION",
    "SUDO_USER",
    "TERM",
    "TMPDIR",
    "TZ",
    "UID",
    "USER",
    "VISUAL",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
};

static bool is_in(const char *word, size_t n, const char *const *table, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (table[i][0] == word[0] && strncmp(table[i], word, n) == 0 && !table[i][n]) return true;
	return false;
}

bool shell_is_language(const char *language)
{
	return is_in(language, strlen(language), languages, COUNT(languages));
}

bool shell_is_environment(const char *name)
{
	return is_in(name, strlen(name), environment, COUNT(environment));
}

/* Skips NAME=value words before a command, and sudo. */
static const char *skip_assignments(const char *s)
{
	for (;;) {
		size_t n = 0;
		while (isalnum((unsigned char)s[n]) || s[n] == '_') n++;
		if (n && s[n] == '=' && s[n + 1] != '=') {
			n = strcspn(s, " \t\n");
			if (!s[n] || s[n] == '\n') return s;
		} else if (strncmp(s, "sudo", 4) == 0 && (s[4] == ' ')) {
			n = 4;
		} else {
			return s;
		}
		s += n;
		while (*s == ' ' || *s == '\t') s++;
	}
}

bool shell_looks_like_commands(const char *source)
{
	const char *s = source;
	for (;;) {
		while (*s && isspace((unsigned char)*s)) s++;
		if (*s != '#') break;
		s += strcspn(s, "\n");
	}
	if (strncmp(s, "$ ", 2) == 0) return true;
	size_t line = strcspn(s, "\n"), name = 0;
	if (!line) return false;
	while (isupper((unsigned char)s[name]) || isdigit((unsigned char)s[name]) || s[name] == '_') name++;
	if (name > 1 && s[name] == '=' && s[name + 1] && !isspace((unsigned char)s[name + 1])) return true;
	if (strncmp(s, "./", 2) == 0) return true;
	s = skip_assignments(s);
	size_t n = strcspn(s, " \t\n|;");
	if (s[n] && s[n] != '\n' && s[n + 1] == '=') return false; /* `name = value` of a configuration file */
	return is_in(s, n, commands, COUNT(commands));
}

/* A command waits for a terminal when its first word is here and none of `unless` stands in it. */
static const struct {
	const char *word, *needs, *unless[7], *why;
} interactive[] = {
    {"top", NULL, {" -b"}, "top redraws a screen; `top -b -n1` prints once"},
    {"htop", NULL, {NULL}, "htop redraws a screen"},
    {"vi", NULL, {NULL}, "vi edits a file by hand; say what to change, or use sed"},
    {"vim", NULL, {NULL}, "vim edits a file by hand; say what to change, or use sed"},
    {"nano", NULL, {NULL}, "nano edits a file by hand; say what to change, or use sed"},
    {"emacs", NULL, {"--batch"}, "emacs edits a file by hand"},
    {"visudo", NULL, {" -c"}, "visudo edits a file by hand"},
    {"less", NULL, {NULL}, "less waits for keys; use cat, head or tail"},
    {"more", NULL, {NULL}, "more waits for keys; use cat, head or tail"},
    {"man", NULL, {NULL}, "man waits for keys"},
    {"watch", NULL, {NULL}, "watch never ends; run its command once"},
    {"tail", " -f", {NULL}, "tail -f never ends; use tail -n"},
    {"tail", " -F", {NULL}, "tail -F never ends; use tail -n"},
    {"journalctl", " -f", {NULL}, "journalctl -f never ends; use -n or --since"},
    {"passwd", NULL, {NULL}, "passwd asks for a password"},
    {"screen", NULL, {" -d", " -ls"}, "screen opens a terminal"},
    {"tmux", NULL, {" new-session -d", " ls"}, "tmux opens a terminal"},
    {"su", NULL, {" -c"}, "su opens a shell; use `su -c`"},
    {"crontab", " -e", {NULL}, "crontab -e opens an editor"},
    {"systemctl", " edit", {NULL}, "systemctl edit opens an editor"},
    {"kubectl", " edit ", {NULL}, "kubectl edit opens an editor; use kubectl patch"},
    {"oc", " edit ", {NULL}, "oc edit opens an editor; use oc patch"},
    {"kubectl", " -it", {NULL}, "-it opens a terminal; name the command and leave -t out"},
    {"docker", " -it", {NULL}, "-it opens a terminal; name the command and leave -t out"},
    {"oc", " rsh ", {NULL}, "oc rsh opens a shell; use oc exec"},
    {"oc", " debug ", {" -- "}, "oc debug opens a shell; name the command after --"},
    {"mysql", NULL, {" -e", " --execute", "<", "--version"}, "mysql opens a prompt; use -e"},
    {"psql", NULL, {" -c", " --command", " -f", "<", " -l", "--version"}, "psql opens a prompt; use -c"},
    {"mongo", NULL, {"--eval"}, "mongo opens a prompt; use --eval"},
    {"mongosh", NULL, {"--eval"}, "mongosh opens a prompt; use --eval"},
    {"telnet", NULL, {NULL}, "telnet opens a session; use nc -z"},
    {"irb", NULL, {NULL}, "irb opens a prompt"},
};

/* ssh with options and one destination only opens a shell. */
static bool is_bare_ssh(const char *s)
{
	static const char with_value[] = "BbcDEeFIiJLlmOopQRSWw";
	int words = 0;
	s += 3;
	while (*s) {
		while (*s == ' ' || *s == '\t') s++;
		if (!*s || *s == '\n' || *s == '#') break;
		size_t n = strcspn(s, " \t\n");
		if (s[0] == '-' && n == 2 && (s[1] == 'N' || s[1] == 'f' || s[1] == 'V')) return false;
		if (s[0] == '-' && n == 2 && strchr(with_value, s[1])) {
			s += n;
			while (*s == ' ') s++;
			s += strcspn(s, " \t\n");
			continue;
		}
		if (s[0] != '-') words++;
		s += n;
	}
	return words == 1;
}

const char *shell_interactive(const char *command)
{
	const char *s = skip_assignments(command);
	size_t n = strcspn(s, " \t\n");
	if (n == 3 && strncmp(s, "ssh", 3) == 0 && is_bare_ssh(s)) return "ssh without a command opens a shell; name the command after the host";
	if (strstr(s, "| less") || strstr(s, "| more")) return "a pager waits for keys; leave it out";
	for (size_t i = 0; i < COUNT(interactive); i++) {
		if (strncmp(interactive[i].word, s, n) != 0 || interactive[i].word[n]) continue;
		if (interactive[i].needs && !strstr(s, interactive[i].needs)) continue;
		bool is_excused = false;
		for (size_t u = 0; u < COUNT(interactive[i].unless) && interactive[i].unless[u]; u++)
			is_excused = is_excused || strstr(s, interactive[i].unless[u]);
		if (!is_excused) return interactive[i].why;
	}
	return NULL;
}
