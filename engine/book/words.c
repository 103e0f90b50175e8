#include "book/words.h"

#include "base/text.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* How a row matches: the whole title, its beginning, its end, or anywhere on word borders. Chinese has no word borders. */
enum where { WHOLE, BEGIN, END, ANY };

struct heading_word {
	const char *word;
	enum where where;
	enum section_role role;
	enum book_phase phase;
};

/* Sections that hold data for rung itself. */
static const struct heading_word special[] = {
    {"runbook info", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"playbook info", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"runbook information", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"playbook information", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"document information", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"metadata", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"手册信息", WHOLE, ROLE_INFO, PHASE_OTHER},
    {"parameters", WHOLE, ROLE_PARAMETERS, PHASE_OTHER},
    {"inputs", WHOLE, ROLE_PARAMETERS, PHASE_OTHER},
    {"参数", WHOLE, ROLE_PARAMETERS, PHASE_OTHER},
    {"permissions", WHOLE, ROLE_PERMISSIONS, PHASE_OTHER},
    {"权限", WHOLE, ROLE_PERMISSIONS, PHASE_OTHER},
    {"alerts", WHOLE, ROLE_ALERTS, PHASE_OTHER},
    {"告警", WHOLE, ROLE_ALERTS, PHASE_OTHER},
    {"root causes", WHOLE, ROLE_CAUSES, PHASE_OTHER},
    {"known causes", WHOLE, ROLE_CAUSES, PHASE_OTHER},
    {"根本原因", WHOLE, ROLE_CAUSES, PHASE_OTHER},
    {"根因", WHOLE, ROLE_CAUSES, PHASE_OTHER},
};

/* Sections that explain. */
static const struct {
	const char *word;
	enum where where;
} explaining[] = {
    {"meaning", BEGIN},
    {"impact", BEGIN},
    {"overview", BEGIN},
    {"overview", END},
    {"introduction", BEGIN},
    {"intro", WHOLE},
    {"background", ANY},
    {"summary", BEGIN},
    {"purpose", ANY},
    {"scope", WHOLE},
    {"out of scope", WHOLE},
    {"in scope", WHOLE},
    {"prerequisite", ANY},
    {"prerequisites", ANY},
    {"pre-requisites", ANY},
    {"requirements", END},
    {"references", ANY},
    {"reference", END},
    {"related", BEGIN},
    {"resources", END},
    {"further reading", ANY},
    {"see also", BEGIN},
    {"links", END},
    {"contacts", END},
    {"contact", WHOLE},
    {"context", WHOLE},
    {"description", END},
    {"about", BEGIN},
    {"definition", ANY},
    {"definitions", ANY},
    {"glossary", ANY},
    {"terminology", ANY},
    {"faq", ANY},
    {"frequently asked questions", ANY},
    {"changelog", ANY},
    {"change log", ANY},
    {"revision history", ANY},
    {"version history", ANY},
    {"history", WHOLE},
    {"notes", WHOLE},
    {"note", WHOLE},
    {"caveats", ANY},
    {"limitations", ANY},
    {"table of contents", ANY},
    {"contents", WHOLE},
    {"toc", WHOLE},
    {"symptoms", ANY},
    {"symptom", ANY},
    {"reason", WHOLE},
    {"reasons", WHOLE},
    {"cause", WHOLE},
    {"causes", WHOLE},
    {"possible causes", ANY},
    {"problem", WHOLE},
    {"problem statement", WHOLE},
    {"severity", BEGIN},
    {"audience", ANY},
    {"assumptions", ANY},
    {"architecture", ANY},
    {"concepts", ANY},
    {"concept", END},
    {"examples", END},
    {"example", BEGIN},
    {"appendix", BEGIN},
    {"what is", BEGIN},
    {"what are", BEGIN},
    {"what's", BEGIN},
    {"what happens", BEGIN},
    {"what does", BEGIN},
    {"why", BEGIN},
    {"who", BEGIN},
    {"how it works", ANY},
    {"when to use", BEGIN},
    {"goal", WHOLE},
    {"goals", WHOLE},
    {"objective", ANY},
    {"objectives", ANY},
    {"stakeholders", ANY},
    {"communication plan", ANY},
    {"roles and responsibilities", ANY},
    {"roles", WHOLE},
    {"dashboards", WHOLE},
    {"dashboard", WHOLE},
    {"metrics", WHOLE},
    {"alert details", ANY},
    {"alert", WHOLE},
    {"incident type", WHOLE},
    {"this incident type", WHOLE},
    {"this playbook", WHOLE},
    {"this runbook", WHOLE},
    {"quick reference", ANY},
    {"finding types", ANY},
    {"license", WHOLE},
    {"authors", WHOLE},
    {"known issues", ANY},
    {"tools used", ANY},
    {"tools", WHOLE},
    {"required access", ANY},
    {"required permissions", ANY},
    {"special permissions", ANY},
    {"document control", ANY},
    {"ownership", ANY},
    {"owner", WHOLE},
    {"owners", WHOLE},
    {"default", WHOLE},
    {"key concepts", ANY},
    {"additional information", ANY},
    {"概述", ANY},
    {"背景", ANY},
    {"影响", ANY},
    {"含义", ANY},
    {"参考", ANY},
    {"前提条件", ANY},
    {"先决条件", ANY},
    {"简介", ANY},
    {"目的", WHOLE},
    {"适用范围", ANY},
    {"说明", WHOLE},
    {"术语", ANY},
    {"附录", ANY},
    {"相关链接", ANY},
    {"联系人", ANY},
    {"现象", ANY},
    {"症状", ANY},
    {"原因", WHOLE},
    {"可能原因", ANY},
};

/* Words that name a phase. */
static const struct {
	const char *word;
	enum book_phase phase;
} phases[] = {
    {"preparation", PHASE_PREPARATION},
    {"prepare", PHASE_PREPARATION},
    {"prechecks", PHASE_PREPARATION},
    {"pre-checks", PHASE_PREPARATION},
    {"precheck", PHASE_PREPARATION},
    {"preflight", PHASE_PREPARATION},
    {"pre-flight", PHASE_PREPARATION},
    {"before you begin", PHASE_PREPARATION},
    {"before you start", PHASE_PREPARATION},
    {"before the", PHASE_PREPARATION},
    {"setup", PHASE_PREPARATION},
    {"set up", PHASE_PREPARATION},
    {"准备", PHASE_PREPARATION},
    {"前置检查", PHASE_PREPARATION},
    {"diagnosis", PHASE_DIAGNOSIS},
    {"diagnose", PHASE_DIAGNOSIS},
    {"diagnosing", PHASE_DIAGNOSIS},
    {"diagnostic", PHASE_DIAGNOSIS},
    {"diagnostics", PHASE_DIAGNOSIS},
    {"triage", PHASE_DIAGNOSIS},
    {"investigate", PHASE_DIAGNOSIS},
    {"investigating", PHASE_DIAGNOSIS},
    {"investigation", PHASE_DIAGNOSIS},
    {"troubleshoot", PHASE_DIAGNOSIS},
    {"troubleshooting", PHASE_DIAGNOSIS},
    {"debug", PHASE_DIAGNOSIS},
    {"debugging", PHASE_DIAGNOSIS},
    {"detect", PHASE_DIAGNOSIS},
    {"detecting", PHASE_DIAGNOSIS},
    {"detection", PHASE_DIAGNOSIS},
    {"analysis", PHASE_DIAGNOSIS},
    {"analyze", PHASE_DIAGNOSIS},
    {"identify", PHASE_DIAGNOSIS},
    {"identification", PHASE_DIAGNOSIS},
    {"check", PHASE_DIAGNOSIS},
    {"checks", PHASE_DIAGNOSIS},
    {"checking", PHASE_DIAGNOSIS},
    {"inspect", PHASE_DIAGNOSIS},
    {"acquire", PHASE_DIAGNOSIS},
    {"evidence", PHASE_DIAGNOSIS},
    {"诊断", PHASE_DIAGNOSIS},
    {"排查", PHASE_DIAGNOSIS},
    {"定位", PHASE_DIAGNOSIS},
    {"分析", PHASE_DIAGNOSIS},
    {"检查", PHASE_DIAGNOSIS},
    {"调查", PHASE_DIAGNOSIS},
    {"mitigation", PHASE_MITIGATION},
    {"mitigate", PHASE_MITIGATION},
    {"mitigating", PHASE_MITIGATION},
    {"resolution", PHASE_MITIGATION},
    {"resolve", PHASE_MITIGATION},
    {"resolving", PHASE_MITIGATION},
    {"remediation", PHASE_MITIGATION},
    {"remediate", PHASE_MITIGATION},
    {"fix", PHASE_MITIGATION},
    {"fixing", PHASE_MITIGATION},
    {"repair", PHASE_MITIGATION},
    {"recover", PHASE_MITIGATION},
    {"recovery", PHASE_MITIGATION},
    {"restore", PHASE_MITIGATION},
    {"contain", PHASE_MITIGATION},
    {"containment", PHASE_MITIGATION},
    {"eradicate", PHASE_MITIGATION},
    {"eradication", PHASE_MITIGATION},
    {"workaround", PHASE_MITIGATION},
    {"workarounds", PHASE_MITIGATION},
    {"solution", PHASE_MITIGATION},
    {"solutions", PHASE_MITIGATION},
    {"corrective action", PHASE_MITIGATION},
    {"response", PHASE_MITIGATION},
    {"缓解", PHASE_MITIGATION},
    {"处理", PHASE_MITIGATION},
    {"解决", PHASE_MITIGATION},
    {"修复", PHASE_MITIGATION},
    {"恢复", PHASE_MITIGATION},
    {"处置", PHASE_MITIGATION},
    {"止损", PHASE_MITIGATION},
    {"verification", PHASE_VERIFICATION},
    {"verify", PHASE_VERIFICATION},
    {"verifying", PHASE_VERIFICATION},
    {"validate", PHASE_VERIFICATION},
    {"validation", PHASE_VERIFICATION},
    {"postchecks", PHASE_VERIFICATION},
    {"post-checks", PHASE_VERIFICATION},
    {"confirm", PHASE_VERIFICATION},
    {"test", PHASE_VERIFICATION},
    {"testing", PHASE_VERIFICATION},
    {"prove", PHASE_VERIFICATION},
    {"proof", PHASE_VERIFICATION},
    {"验证", PHASE_VERIFICATION},
    {"确认", PHASE_VERIFICATION},
    {"校验", PHASE_VERIFICATION},
    {"rollback", PHASE_ROLLBACK},
    {"roll back", PHASE_ROLLBACK},
    {"rolling back", PHASE_ROLLBACK},
    {"back out", PHASE_ROLLBACK},
    {"backout", PHASE_ROLLBACK},
    {"revert", PHASE_ROLLBACK},
    {"undo", PHASE_ROLLBACK},
    {"回滚", PHASE_ROLLBACK},
    {"回退", PHASE_ROLLBACK},
    {"escalation", PHASE_ESCALATION},
    {"escalate", PHASE_ESCALATION},
    {"升级处理", PHASE_ESCALATION},
    {"上报", PHASE_ESCALATION},
    {"steps", PHASE_STEPS},
    {"procedure", PHASE_STEPS},
    {"procedures", PHASE_STEPS},
    {"instructions", PHASE_STEPS},
    {"process", PHASE_STEPS},
    {"how to", PHASE_STEPS},
    {"actions", PHASE_STEPS},
    {"action", PHASE_STEPS},
    {"tasks", PHASE_STEPS},
    {"checklist", PHASE_STEPS},
    {"workflow", PHASE_STEPS},
    {"walkthrough", PHASE_STEPS},
    {"步骤", PHASE_STEPS},
    {"流程", PHASE_STEPS},
    {"操作", PHASE_STEPS},
    {"执行", PHASE_STEPS},
    {"post-incident", PHASE_OTHER},
    {"post incident", PHASE_OTHER},
    {"cleanup", PHASE_OTHER},
    {"clean up", PHASE_OTHER},
    {"清理", PHASE_OTHER},
    {"follow-up", PHASE_OTHER},
    {"follow up", PHASE_OTHER},
    {"lessons learned", PHASE_OTHER},
};

/* Verbs that tell somebody to do something, as the first word of a step. */
static const char *const verbs[] = {
    "access",    "acknowledge", "acquire",  "activate",     "add",        "adjust",   "alert",    "allow",       "analyze",    "apply",    "approve",
    "ask",       "assess",      "assign",   "attach",       "audit",      "avoid",    "back",     "backup",      "begin",      "block",    "boot",
    "bring",     "build",       "bump",     "call",         "cancel",     "capture",  "change",   "chase",       "check",      "choose",   "classify",
    "clean",     "clear",       "click",    "clone",        "close",      "collect",  "commit",   "communicate", "compare",    "complete", "configure",
    "confirm",   "connect",     "consider", "consult",      "contact",    "continue", "convert",  "copy",        "cordon",     "count",    "create",
    "cut",       "debug",       "decide",   "declare",      "decrease",   "define",   "delete",   "deploy",      "deregister", "describe", "destroy",
    "detach",    "determine",   "diagnose", "disable",      "disconnect", "discuss",  "document", "download",    "drain",      "drop",     "dump",
    "edit",      "eject",       "enable",   "engage",       "ensure",     "enter",    "escalate", "establish",   "evaluate",   "examine",  "execute",
    "expand",    "export",      "extend",   "fetch",        "file",       "fill",     "filter",   "finalize",    "find",       "fix",      "flush",
    "follow",    "force",       "free",     "gather",       "generate",   "get",      "give",     "go",          "grant",      "have",     "identify",
    "implement", "import",      "increase", "inform",       "initiate",   "inspect",  "install",  "investigate", "isolate",    "issue",    "join",
    "keep",      "kill",        "label",    "launch",       "leave",      "let",      "limit",    "list",        "load",       "locate",   "lock",
    "log",       "login",       "look",     "lower",        "make",       "mark",     "measure",  "merge",       "migrate",    "modify",   "monitor",
    "mount",     "move",        "navigate", "note",         "notify",     "obtain",   "observe",  "obtain",      "open",       "override", "page",
    "patch",     "pause",       "perform",  "pick",         "ping",       "place",    "plan",     "post",        "prepare",    "press",    "preserve",
    "promote",   "provide",     "prune",    "publish",      "pull",       "purge",    "push",     "put",         "query",      "raise",    "read",
    "rebase",    "reboot",      "rebuild",  "record",       "recover",    "recreate", "redeploy", "reduce",      "refer",      "refresh",  "regenerate",
    "register",  "release",     "reload",   "remove",       "rename",     "renew",    "repair",   "repeat",      "replace",    "replay",   "report",
    "reproduce", "request",     "rerun",    "reset",        "resize",     "resolve",  "restart",  "restore",     "resume",     "retrieve", "retry",
    "return",    "revert",      "review",   "revoke",       "rewrite",    "roll",     "rotate",   "run",         "save",       "scale",    "scan",
    "schedule",  "scroll",      "search",   "see",          "select",     "send",     "set",      "setup",       "share",      "show",     "shut",
    "shutdown",  "sign",        "silence",  "skip",         "snapshot",   "specify",  "split",    "ssh",         "start",      "stop",     "store",
    "submit",    "suspend",     "switch",   "sync",         "tag",        "take",     "tell",     "terminate",   "test",       "throttle", "trace",
    "track",     "transfer",    "trigger",  "troubleshoot", "truncate",   "try",      "tune",     "turn",        "type",       "unblock",  "uncordon",
    "undo",      "uninstall",   "unlock",   "unmount",      "unpause",    "update",   "upgrade",  "upload",      "use",        "validate", "verify",
    "view",      "visit",       "wait",     "watch",        "work",       "write",    "zip",
};

/* Words with which an instruction can begin before its verb. */
static const char *const lead_ins[] = {"if",  "when",       "once",     "after",  "before", "then",      "next", "first", "finally",
                                       "now", "optionally", "optional", "please", "also",   "otherwise", "to",   "you",   "using"};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static bool is_word_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '\'';
}

/* Where word stands in title (lower case) on word borders, or SIZE_MAX. */
static size_t find_word(const char *title, const char *word, enum where where)
{
	size_t n = strlen(word), all = strlen(title);
	bool is_ascii = !((unsigned char)word[0] & 0x80);
	if (where == WHOLE) return strcmp(title, word) == 0 ? 0 : SIZE_MAX;
	for (const char *p = title; (p = strstr(p, word)); p++) {
		size_t at = (size_t)(p - title);
		if (is_ascii && at && is_word_byte(p[-1])) continue;
		if (is_ascii && is_word_byte(p[n])) continue;
		if (where == BEGIN && at != 0) return SIZE_MAX;
		if (where == END && at + n != all) continue;
		return at;
	}
	return SIZE_MAX;
}

/* Skips "3", "1.2", "IV", Chinese digits; bytes taken. */
static size_t skip_number(const char *s)
{
	static const char *const digits[] = {"一", "二", "三", "四", "五", "六", "七", "八", "九", "十"};
	size_t n = 0;
	while (isdigit((unsigned char)s[n]) || (n && s[n] == '.' && isdigit((unsigned char)s[n + 1]))) n++;
	if (n) return n;
	for (size_t i = 0; i < COUNT(digits);) {
		if (strncmp(s + n, digits[i], 3) == 0)
			n += 3, i = 0;
		else
			i++;
	}
	return n;
}

/* "one", "Two", "IV", "A" behind "Step": bytes taken. */
static size_t skip_number_word(const char *s)
{
	static const char *const words[] = {"one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};
	size_t n = 0;
	for (size_t i = 0; i < COUNT(words); i++) {
		n = strlen(words[i]);
		if (strncasecmp(s, words[i], n) == 0 && !isalpha((unsigned char)s[n])) return n;
	}
	n = strspn(s, "IVX");
	if (!n && isupper((unsigned char)*s)) n = 1;
	return n && n < 5 && !isalnum((unsigned char)s[n]) ? n : 0;
}

static size_t skip_separators(const char *s)
{
	static const char *const wide[] = {"—", "–", "：", "、", "．"};
	size_t n = 0;
	for (bool more = true; more;) {
		more = false;
		if (s[n] && strchr(" \t:.)-", s[n])) n++, more = true;
		for (size_t i = 0; i < COUNT(wide) && !more; i++)
			if (strncmp(s + n, wide[i], strlen(wide[i])) == 0) n += strlen(wide[i]), more = true;
	}
	return n;
}

size_t words_numbering(const char *title, bool *is_step)
{
	static const struct {
		const char *word;
		bool is_step;
	} counted[] = {{"step ", true},   {"task ", true},     {"part ", false}, {"phase ", false},
	               {"stage ", false}, {"section ", false}, {"步骤", true},   {"第", true}};
	*is_step = false;
	for (size_t i = 0; i < COUNT(counted); i++) {
		size_t n = strlen(counted[i].word);
		if (strncasecmp(title, counted[i].word, n) != 0) continue;
		while (title[n] == ' ') n++;
		size_t digits = skip_number(title + n);
		if (!digits) digits = skip_number_word(title + n);
		if (!digits) continue;
		n += digits;
		if (strncmp(title + n, "步", 3) == 0) n += 3;
		*is_step = counted[i].is_step;
		return n + skip_separators(title + n);
	}
	size_t n = skip_number(title);
	size_t gap = n ? skip_separators(title + n) : 0;
	/* "502 errors" and "2023-09-18 ..." are no numbering: a point, a bracket or a small number with a space must follow. */
	bool is_small = n <= 2 || memchr(title, '.', n);
	if (!n || !gap || !title[n + gap] || title[n] == '-' || (!strchr(".):", title[n]) && !is_small)) return 0;
	if (isdigit((unsigned char)title[0]) && title[n] == ' ' && !memchr(title, '.', n) && title[n + gap] && !isupper((unsigned char)title[n + gap]))
		return 0;
	*is_step = true;
	return n + gap;
}

/* Lower-cases ASCII and drops what stands around a title: emphasis, colons, emoji-like bytes at its start. */
static void simplify(const char *title, char *out, size_t size)
{
	while (*title && strchr(" *_#`\"'([", *title)) title++;
	size_t n = strlen(title);
	while (n && strchr(" *_:.?!`\"')]", title[n - 1])) n--;
	if (n >= size) n = size - 1;
	for (size_t i = 0; i < n; i++) out[i] = (char)tolower((unsigned char)title[i]);
	out[n] = 0;
}

static bool is_in(const char *word, size_t n, const char *const *table, size_t count)
{
	char first = (char)tolower((unsigned char)*word);
	for (size_t i = 0; i < count; i++)
		if (table[i][0] == first && strncasecmp(word, table[i], n) == 0 && !table[i][n]) return true;
	return false;
}

/* "restart", "restarting", "creating", "running": a verb of the table or its -ing form. */
static bool is_verb(const char *word, size_t n)
{
	if (is_in(word, n, verbs, COUNT(verbs))) return true;
	if (n < 6 || strncasecmp(word + n - 3, "ing", 3) != 0) return false;
	char stem[32];
	if (n >= sizeof stem) return false;
	memcpy(stem, word, n - 3);
	if (is_in(stem, n - 3, verbs, COUNT(verbs))) return true;
	if (stem[n - 4] == stem[n - 5] && is_in(stem, n - 4, verbs, COUNT(verbs))) return true;
	stem[n - 3] = 'e';
	return is_in(stem, n - 2, verbs, COUNT(verbs));
}

static size_t first_word(const char **text)
{
	while (**text && !isalpha((unsigned char)**text) && !((unsigned char)**text & 0x80)) (*text)++;
	size_t n = 0;
	while (isalpha((unsigned char)(*text)[n])) n++;
	return n;
}

/* "Short term: Check ...": what follows a label of a few words. */
static const char *skip_label(const char *text)
{
	static const char *const remarks[] = {"goal", "note", "purpose", "objective", "warning", "important", "tip", "caution", "example"};
	size_t colon = strcspn(text, ":.\n"), words = 0;
	if (text[colon] != ':' || text[colon + 1] != ' ' || colon > 40 || is_in(text, colon, remarks, COUNT(remarks))) return text;
	for (size_t i = 0; i < colon; i++) words += text[i] == ' ';
	return words < 4 ? text + colon + 2 : text;
}

static bool begins_imperative(const char *text)
{
	if ((unsigned char)text[0] & 0x80) {
		for (size_t i = 0; i < COUNT(phases); i++)
			if (phases[i].word[0] == text[0] && strncmp(text, phases[i].word, strlen(phases[i].word)) == 0) return true;
		return false;
	}
	size_t n = first_word(&text);
	return n && (is_in(text, n, lead_ins, COUNT(lead_ins)) || is_in(text, n, verbs, COUNT(verbs)));
}

bool words_is_imperative(const char *text)
{
	return begins_imperative(text) || begins_imperative(skip_label(text));
}

bool words_is_lead_in(const char *text)
{
	static const char *const more[] = {"in", "for", "based", "from", "with", "as", "depending", "since", "because", "until", "unless", "while"};
	size_t n = first_word(&text);
	return n && (is_in(text, n, lead_ins, COUNT(lead_ins)) || is_in(text, n, more, COUNT(more)));
}

bool words_is_placeholder(const char *text)
{
	static const char *const nothing[] = {"todo",        "tbd", "tba",   "n/a",       "none",    "to be added", "to be done", "to be determined",
	                                      "coming soon", "wip", "[toc]", "[[_toc_]]", "[[toc]]", "待补充",      "无"};
	char plain[64];
	size_t n = strlen(text);
	while (n && strchr(" .:!", text[n - 1])) n--;
	if (n >= sizeof plain) return false;
	for (size_t i = 0; i < n; i++) plain[i] = (char)tolower((unsigned char)text[i]);
	plain[n] = 0;
	return n == 0 || is_in(plain, n, nothing, COUNT(nothing));
}

static bool phase_of(const char *title, struct heading_meaning *m)
{
	size_t best = SIZE_MAX, best_len = 0;
	for (size_t i = 0; i < COUNT(phases); i++) {
		size_t at = find_word(title, phases[i].word, ANY), n = strlen(phases[i].word);
		if (at == SIZE_MAX || at > best || (at == best && n < best_len)) continue;
		best = at;
		best_len = n;
		m->phase = phases[i].phase;
		m->is_bare = n == strlen(title);
	}
	return best != SIZE_MAX;
}

/* Verbs that say nothing of the phase: "Perform verification", "Run diagnostics". */
static bool is_general_verb(const char *word, size_t n)
{
	static const char *const general[] = {"perform", "run", "execute", "do", "start", "begin", "initiate", "complete", "continue"};
	return is_in(word, n, general, COUNT(general));
}

/* An action that is told by its first word. Words of a phase further back then say what is acted on: "Remove any test clusters". */
static bool leads_with_verb(const char *title)
{
	/* Verbs that headings use as nouns. */
	static const char *const nouns[] = {"alert", "note",  "issue",  "file",    "page",  "label",    "post",  "report",   "record",   "query", "release",
	                                    "plan",  "log",   "access", "work",    "type",  "schedule", "share", "store",    "snapshot", "trace", "free",
	                                    "force", "limit", "load",   "measure", "place", "return",   "back",  "complete", "call",     "list",  "time"};
	const char *word = title;
	size_t n = first_word(&word);
	if (!n || !is_verb(word, n) || is_general_verb(word, n) || is_in(word, n, nouns, COUNT(nouns))) return false;
	for (size_t i = 0; i < COUNT(phases); i++)
		if (find_word(word, phases[i].word, BEGIN) == 0) return false;
	return true;
}

struct heading_meaning words_of_heading(const char *title)
{
	struct heading_meaning m = {.role = ROLE_NEUTRAL, .phase = PHASE_STEPS};
	char plain[256];
	m.number_len = words_numbering(title, &m.is_numbered);
	simplify(title + m.number_len, plain, sizeof plain);
	for (size_t i = 0; i < COUNT(special); i++) {
		if (strcmp(plain, special[i].word) != 0) continue;
		m.role = special[i].role;
		return m;
	}
	for (size_t i = 0; i < COUNT(explaining); i++) {
		if (find_word(plain, explaining[i].word, explaining[i].where) == SIZE_MAX) continue;
		m.role = ROLE_NOT_STEPS;
		return m;
	}
	bool is_verb_first = leads_with_verb(plain);
	if (!is_verb_first && phase_of(plain, &m)) {
		static const char *const bare[] = {"troubleshooting steps",
		                                   "diagnosis steps",
		                                   "diagnostic steps",
		                                   "mitigation steps",
		                                   "resolution steps",
		                                   "remediation steps",
		                                   "recovery steps",
		                                   "verification steps",
		                                   "rollback steps",
		                                   "操作步骤",
		                                   "处理步骤",
		                                   "排查步骤",
		                                   "处理流程",
		                                   "回滚步骤",
		                                   "验证步骤"};
		m.role = ROLE_ACTION;
		m.is_bare = m.is_bare || is_in(plain, strlen(plain), bare, COUNT(bare));
		return m;
	}
	if (is_verb_first) {
		m.role = ROLE_ACTION;
		m.is_verb = true;
	}
	return m;
}

static bool has_any(const char *text, const char *const *table, size_t count)
{
	char plain[160];
	simplify(text, plain, sizeof plain);
	for (size_t i = 0; i < count; i++)
		if (find_word(plain, table[i], ANY) != SIZE_MAX) return true;
	return false;
}

bool words_is_about_output(const char *text)
{
	static const char *const words[] = {"output",           "should see", "will see", "should look", "looks like", "should return", "returns",
	                                    "will return",      "result",     "results",  "displays",    "prints",     "will show",     "should show",
	                                    "example response", "response",   "输出",     "结果",        "示例"};
	return has_any(text, words, COUNT(words));
}

bool words_is_escalation(const char *text)
{
	static const char *const words[] = {"if you cannot resolve", "if you can't resolve",     "if you are unable to",
	                                    "if the issue persists", "if the problem persists",  "if none of the",
	                                    "if nothing helps",      "if this does not resolve", "如果无法解决"};
	char plain[160];
	simplify(text, plain, sizeof plain);
	for (size_t i = 0; i < COUNT(words); i++)
		if (find_word(plain, words[i], BEGIN) != SIZE_MAX) return true;
	return false;
}
