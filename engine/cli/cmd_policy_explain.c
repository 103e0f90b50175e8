#include "base/clock.h"
#include "base/text.h"
#include "cli/lines.h"
#include "cli/policy_use.h"
#include "cli/print.h"
#include "policy/policy_phrase.h"
#include "policy/policy_words.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TARGETS_MOST = 1000000 };

/* The question, and what is known of the book that it is about. */
struct question {
	const struct policy *p;
	struct policy_request q;
	struct book *book; /* NULL: there is no such file */
	json_t *params;
};

/* ---- what was asked ---- */

static enum err read_word(const struct policy_use *u, const char *option, const char *const *words, size_t *index, struct error *e)
{
	const char *given = given_value(u->in, option), *list = "";
	if (!given) return ERR_OK;
	for (size_t i = 0; words[i]; i++) {
		if (*words[i] && strcmp(words[i], given) == 0) return *index = i, ERR_OK;
		if (*words[i]) list = arena_printf(u->arena, "%s%s%s", list, *list ? ", " : "", words[i]);
	}
	return error_set(e, ERR_USAGE, "--%s %.60s: it is one of %s", option, given, list);
}

/* The person or service; without --who whoever runs this. */
static enum err read_who(const struct policy_use *u, struct question *x, struct error *e)
{
	const char *who = given_value(u->in, "who");
	if (!who) {
		const struct passwd *pw = getpwuid(getuid());
		if (!pw) return error_set(e, ERR_USAGE, "your account has no name: say who is meant with --who NAME");
		const struct policy_service *s = policy_service_of_user(x->p, pw->pw_name);
		who = s ? arena_printf(u->arena, "service:%s", s->name) : arena_strdup(u->arena, pw->pw_name);
	}
	bool is_whole = strncmp(who, "user:", 5) == 0 || strncmp(who, "service:", 8) == 0;
	if (strncmp(who, "group:", 6) == 0 || strchr(who, '*')) return error_set(e, ERR_USAGE, "--who %.60s: one person or service:NAME, no group", who);
	x->q.who = is_whole ? who : arena_printf(u->arena, "user:%s", who);
	return ERR_OK;
}

static enum err read_targets(const struct policy_use *u, struct question *x, struct error *e)
{
	const char *text = given_value(u->in, "targets");
	char *end;
	x->q.targets = text && strcmp(text, "unknown") == 0 ? POLICY_TARGETS_UNKNOWN : POLICY_TARGETS_OF_NO_STEP;
	if (!text || x->q.targets == POLICY_TARGETS_UNKNOWN) return ERR_OK;
	x->q.targets = strtol(text, &end, 10);
	if (end == text || *end || x->q.targets < 0 || x->q.targets > TARGETS_MOST)
		return error_set(e, ERR_USAGE, "--targets %.40s: a number up to %d, or unknown", text, TARGETS_MOST);
	return ERR_OK;
}

static enum err read_elevations(const struct policy_use *u, struct question *x, struct error *e)
{
	const char **names = arena_alloc(u->arena, (u->in->option_count + 1) * sizeof *names);
	for (size_t i = 0; i < u->in->option_count; i++) {
		const struct option_given *o = &u->in->options[i];
		if (strcmp(o->option->name, "grant") != 0) continue;
		if (!policy_elevation_find(x->p, o->value)) return error_set(e, ERR_USAGE, "--grant %.60s: %s has no such elevation", o->value, x->p->file);
		names[x->q.elevated_count++] = o->value;
	}
	x->q.elevated = names;
	return ERR_OK;
}

static enum err read_time(const struct policy_use *u, struct question *x, struct error *e)
{
	const char *at = given_value(u->in, "at");
	x->q.now_us = clock_now_us();
	if (!at || clock_parse_instant(at, &x->q.now_us) || clock_parse_date(at, &x->q.now_us)) return ERR_OK;
	return error_set(e, ERR_USAGE, "--at %.40s: a day (2026-12-24) or an instant (2026-12-24T08:00Z) was expected", at);
}

/* The book: one that is there, else the path as it was written, so that what is planned can be asked about, too. */
static enum err read_book(const struct policy_use *u, struct question *x, struct error *e)
{
	const char *name = u->in->args[1], *path;
	enum err err = workspace_book(u->arena, &u->w, name, &path, e);
	if (err == ERR_NOT_FOUND && strchr(name, '/') && name[0] != '/') {
		message("%s is no book of the workspace: this is about a book that would be there", name);
		x->q.book = name;
		return ERR_OK;
	}
	if (!err) err = book_open(path, &x->book, e);
	if (err) return err;
	size_t n = u->w.root ? strlen(u->w.root) : 0;
	bool is_within = n && strncmp(path, u->w.root, n) == 0 && path[n] == '/';
	x->q.book = is_within ? path + n + 1 : arena_printf(u->arena, "external%s", path);
	return ERR_OK;
}

/* The value of one of the book's, in the place of its text; one that is not known, or is a secret, has none. */
static enum err read_param(json_t *params, const struct book_param *p, struct error *e)
{
	json_t *given = json_incref(json_object_get(params, p->name)), *v = NULL;
	const char *text = given ? json_string_value(given) : p->default_text;
	const bool is_known = text && p->type != PARAM_SECRET;
	json_object_del(params, p->name);
	if (is_known && (v = book_param_read(p, text, e))) json_object_set_new(params, p->name, v);
	json_decref(given);
	return is_known && !v ? error_context(e, "the parameter %s", p->name) : ERR_OK;
}

/* Parameters as far as they are known: given, else the book's defaults. */
static enum err read_params(const struct policy_use *u, struct question *x, struct error *e)
{
	x->params = json_object();
	enum err err = given_params(u->in, x->params, e);
	for (size_t i = 0; x->book && i < x->book->param_count && !err; i++) err = read_param(x->params, &x->book->params[i], e);
	x->q.params = x->params;
	return err;
}

static enum err read_question(const struct policy_use *u, struct question *x, struct error *e)
{
	size_t verb = VERB_RUN, risk = RISK_OF_NO_STEP, trigger;
	const char *call = given_value(u->in, "call");
	enum err err = policy_use_read(u, NULL, &x->p, e);
	if (!err) err = read_who(u, x, e);
	if (!err) err = read_word(u, "do", policy_verb_words, &verb, e);
	if (!err) err = read_word(u, "risk", policy_risk_words, &risk, e);
	trigger = !err && strncmp(x->q.who, "service:", 8) == 0 ? TRIGGER_ALERT : TRIGGER_PERSON;
	if (!err) err = read_word(u, "trigger", policy_trigger_words, &trigger, e);
	if (!err) err = read_targets(u, x, e);
	if (!err) err = read_elevations(u, x, e);
	if (!err) err = read_time(u, x, e);
	if (!err) err = read_book(u, x, e);
	if (!err) err = read_params(u, x, e);
	if (!err && call && (err = capability_words(u->arena, call, &x->q.kind, &x->q.words, &x->q.word_count, e)))
		err = error_set(e, ERR_USAGE, "--call: %s", e->text);
	x->q.verb = (enum policy_verb)verb, x->q.risk = (enum policy_risk)risk, x->q.trigger = (enum policy_trigger)trigger;
	return err;
}

/* ---- what comes of it ---- */

static json_t *decision_json(struct arena *a, const struct policy *p, const struct policy_request *q)
{
	struct policy_decision d = policy_decide(p, q, a);
	const char *text = policy_explain(p, q, a);
	json_t *lines = json_array(), *rule = json_null(), *line = json_null();
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
		json_array_append_new(lines, json_text(arena_strndup(a, at, strcspn(at, "\n"))));
	if (d.rule) rule = json_text(d.rule->id), line = json_integer(d.rule->line);
	return json_pack("{s:s,s:o,s:o,s:o}", "outcome", policy_outcome_word(d.outcome), "rule", rule, "line", line, "text", lines);
}

/* A pattern is as allowed as the least allowed of the calls that stand for it. */
static struct policy_request pattern_request(const struct policy_use *u, const struct question *x, const char *pattern, bool *is_one)
{
	struct policy_call calls[POLICY_EXAMPLES_MAX];
	struct policy_request worst = x->q;
	enum policy_outcome found = POLICY_IS_ALLOWED;
	size_t n = policy_call_examples(u->arena, pattern, x->params, calls);
	for (size_t i = 0; i < n; i++) {
		struct policy_request q = x->q;
		q.kind = calls[i].kind, q.words = calls[i].words, q.word_count = calls[i].word_count;
		enum policy_outcome o = policy_decide(x->p, &q, u->arena).outcome;
		bool is_worse = o != found && (o == POLICY_IS_DENIED || found == POLICY_IS_ALLOWED);
		if (i == 0 || is_worse) worst = q, found = o;
	}
	*is_one = n > 0;
	return worst;
}

static json_t *permissions_json(const struct policy_use *u, const struct question *x)
{
	json_t *all = json_array();
	for (size_t i = 0; i < x->book->permission_count; i++) {
		bool is_one;
		struct policy_request q = pattern_request(u, x, x->book->permissions[i].pattern, &is_one);
		json_t *row =
		    is_one ? decision_json(u->arena, x->p, &q)
		           : json_pack("{s:s,s:n,s:n,s:[s]}", "outcome", "deny", "rule", "line", "text", "this is no pattern of calls: rung check says more");
		json_object_set_new(row, "pattern", json_text(x->book->permissions[i].pattern));
		json_array_append_new(all, row);
	}
	return all;
}

static enum policy_risk risk_of(const struct book_step *s)
{
	return s->risk == RISK_READ ? RISK_OF_READ : s->risk == RISK_CHANGE ? RISK_OF_CHANGE : RISK_OF_DESTRUCTIVE;
}

static json_t *steps_json(const struct policy_use *u, const struct question *x)
{
	json_t *all = json_array();
	for (size_t i = 0; i < x->book->step_count; i++) {
		struct policy_request q = x->q;
		q.risk = risk_of(&x->book->steps[i]);
		/* How many a step touches is known when it is about to run. */
		if (q.targets == POLICY_TARGETS_OF_NO_STEP && x->book->steps[i].targets_source) q.targets = POLICY_TARGETS_UNKNOWN;
		json_t *row = decision_json(u->arena, x->p, &q);
		json_object_set_new(row, "step", json_text(x->book->steps[i].id));
		json_object_set_new(row, "risk", json_text(policy_risk_word(q.risk)));
		json_array_append_new(all, row);
	}
	return all;
}

/* One line each: what comes of it, what it is about, which rule says so. */
static void print_rows(struct arena *a, const struct question *x, const char *title, const json_t *rows, const char *name, const char *more)
{
	const json_t *row;
	size_t i, widest = 0;
	if (json_array_size(rows)) printf("\n%s\n", title);
	json_array_foreach(rows, i, row)
	{
		size_t columns = line_columns(line_safe(a, json_str(row, name, ""))) + (more ? strlen(json_str(row, more, "")) + 3 : 0);
		if (columns > widest) widest = columns;
	}
	json_array_foreach(rows, i, row)
	{
		const char *rule = json_str(row, "rule", NULL);
		const char *what = line_safe(a, json_str(row, name, ""));
		if (more) what = arena_printf(a, "%s (%s)", what, json_str(row, more, ""));
		printf("  %-5s  %s%*s", json_str(row, "outcome", ""), what, (int)(widest - line_columns(what)), "");
		printf(rule ? "  rule " : "  no rule allows it");
		if (rule) {
			print_text(rule);
			printf(" (");
			print_text(x->p->file);
			printf(":%lld)", (long long)json_int(row, "line", 0));
		}
		printf("\n");
	}
}

/* Of steps that are not simply allowed, why: once where several have the same reason. */
static void print_why_not(const json_t *rows, const json_t *said)
{
	const json_t *row;
	size_t i;
	json_array_foreach(rows, i, row)
	{
		bool is_again = json_equal(json_arr(row, "text"), json_arr(said, "text"));
		for (size_t k = 0; k < i && !is_again; k++) is_again = json_equal(json_arr(row, "text"), json_arr(json_array_get(rows, k), "text"));
		if (is_again || strcmp(json_str(row, "outcome", ""), "allow") == 0) continue;
		printf("\n");
		for (size_t k = 0; k < json_array_size(json_arr(row, "text")); k++) {
			print_text(json_string_value(json_array_get(json_arr(row, "text"), k)));
			printf("\n");
		}
	}
}

/* The declared calls that no rule grants, as lines for the policy: all of them at once. */
static void print_missing_grants(const struct policy_use *u, const struct question *x, const json_t *rows, const char *rule, long long line)
{
	const json_t *row;
	size_t i, n = 0;
	json_array_foreach(rows, i, row)
	{
		const char *pattern = json_str(row, "pattern", "");
		struct capability *c;
		if (strcmp(json_str(row, "outcome", ""), "deny") != 0 || json_str(row, "rule", NULL) || capability_parse(u->arena, pattern, &c, NULL)) continue;
		if (n++ == 0) {
			const char *to = rule ? arena_printf(u->arena, "the grants of rule %s (%s:%lld)", rule, x->p->file, line)
			                      : arena_printf(u->arena, "the grants of a rule for %s and this book", x->q.who);
			print_page(arena_printf(u->arena, "\nTo allow what no rule allows, ask whoever keeps %s to add to %s:\n", x->p->file, to));
		}
		print_page(arena_printf(u->arena, "  - %s\n", phrase_yaml(u->arena, pattern)));
	}
}

/* Everything that is missing, at once: as the start of a run says it. */
static void add_whole(const struct policy_use *u, const struct question *x, json_t *v)
{
	if (!x->book || x->q.kind || x->q.verb != VERB_RUN || x->q.risk != RISK_OF_NO_STEP) return;
	json_object_set_new(v, "permissions", permissions_json(u, x));
	json_object_set_new(v, "steps", steps_json(u, x));
	if (!x->book->has_permissions) json_object_set_new(v, "undeclared", json_true());
}

static void print_answer(const struct policy_use *u, const struct question *x, const json_t *v)
{
	print_page(policy_explain(x->p, &x->q, u->arena));
	printf("\n");
	print_rows(u->arena, x, "The calls that it declares", json_arr(v, "permissions"), "pattern", NULL);
	if (json_bool(v, "undeclared", false))
		printf("\nThe book declares no calls (it has no Permissions section): each is asked about when it is made, and no service can start it.\n");
	print_rows(u->arena, x, "Its steps", json_arr(v, "steps"), "step", "risk");
	print_why_not(json_arr(v, "steps"), v);
	const char *rule = strcmp(json_str(v, "outcome", ""), "allow") == 0 ? json_str(v, "rule", NULL) : NULL;
	print_missing_grants(u, x, json_arr(v, "permissions"), rule, json_int(v, "line", 0));
}

static int outcome_status(const char *outcome)
{
	if (strcmp(outcome, "deny") == 0) return err_info(ERR_DENIED)->exit_status;
	return strcmp(outcome, "wait") == 0 ? err_info(ERR_WAITING)->exit_status : 0;
}

int policy_explain_command(struct policy_use *u)
{
	struct question x = {0};
	struct error e;
	int status;
	if (read_question(u, &x, &e)) {
		status = fail(&e, u->json);
	} else {
		json_t *v = decision_json(u->arena, x.p, &x.q);
		json_object_set_new(v, "who", json_text(x.q.who));
		json_object_set_new(v, "book", json_text(x.q.book));
		add_whole(u, &x, v);
		if (u->json)
			print_json(v);
		else
			print_answer(u, &x, v);
		status = outcome_status(json_str(v, "outcome", ""));
		json_decref(v);
	}
	book_free(x.book);
	json_decref(x.params);
	return status;
}
