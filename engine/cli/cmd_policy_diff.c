#include "base/clock.h"
#include "base/yaml.h"
#include "cli/git.h"
#include "cli/policy_use.h"
#include "cli/print.h"
#include "policy/policy_diff.h"

#include <stdlib.h>
#include <string.h>

/* ---- the policy as Git has it ---- */

static enum err read_since(const struct policy_use *u, const char *revision, const struct policy **out, struct error *e)
{
	struct buf b;
	if (!u->w.root) return error_set(e, ERR_NOT_FOUND, "no workspace here: no folder .rung in this folder or above it");
	if (!*revision || *revision == '-') return error_set(e, ERR_USAGE, "--since %.40s: a revision of Git was expected, such as HEAD~1 or main", revision);
	char *object = arena_printf(u->arena, "%s:./.rung/policy.yaml", revision);
	buf_init(&b, YAML_BYTES_MAX);
	/* git cat-file prints the file's bytes and nothing else, whatever the repository configures for showing. */
	enum err err = git_run(u->w.root, (const char *const[]){"cat-file", "blob", object, NULL}, &b, e);
	if (!err) err = policy_read(u->arena, arena_printf(u->arena, "%s:.rung/policy.yaml", revision), b.data ? b.data : "", b.len, out, e);
	buf_clear(&b);
	return err;
}

/* ---- which two ---- */

static enum err read_both(const struct policy_use *u, const struct policy **before, const struct policy **after, struct error *e)
{
	const char *since = given_value(u->in, "since"), *first = u->in->arg_count > 1 ? u->in->args[1] : NULL,
	           *second = u->in->arg_count > 2 ? u->in->args[2] : NULL;
	if (!since && !first) return error_set(e, ERR_USAGE, "rung policy diff needs the older policy: rung policy diff OLD [NEW], or --since REV");
	if (since && second) return error_set(e, ERR_USAGE, "with --since REV at most the newer policy is named: rung policy diff --since REV [NEW]");
	enum err err = since ? read_since(u, since, before, e) : policy_use_read(u, first, before, e);
	return err ? err : policy_use_read(u, since ? first : second, after, e);
}

/* ---- what is told ---- */

static const char *const kinds[] = {"widened", "changed", "narrowed"};

static json_t *change_json(struct arena *a, const struct policy_change *c)
{
	return json_pack("{s:s,s:s,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "kind", kinds[c->kind], "do", policy_verb_word(c->verb), "from",
	                 policy_outcome_word(c->from), "to", policy_outcome_word(c->to), "who", json_text(c->who), "books", json_text(c->books), "calls",
	                 json_text(c->calls), "when", json_text(c->when), "before", json_text(c->before), "after", json_text(c->after), "because",
	                 json_text(c->because), "text", json_text(policy_change_text(a, c)));
}

static void print_all_json(struct arena *a, const struct policy_changes *all)
{
	json_t *list = json_array();
	for (size_t i = 0; i < all->count; i++) json_array_append_new(list, change_json(a, &all->items[i]));
	json_t *v = json_pack("{s:o,s:I}", "changes", list, "asked", (json_int_t)all->asked);
	print_json(v);
	json_decref(v);
}

static void print_all(struct arena *a, const struct policy_changes *all)
{
	static const char marks[] = {'+', '~', '-'}, *const titles[] = {"Newly allowed, where no other rule denies it", "Allowed, after other approvals",
	                                                                "No longer allowed"};
	size_t counts[3] = {0};
	for (size_t i = 0; i < all->count; i++) {
		const struct policy_change *c = &all->items[i];
		if (counts[c->kind]++ == 0) printf("%s%s\n", i ? "\n" : "", titles[c->kind]);
		printf("%c ", marks[c->kind]);
		print_text(policy_change_text(a, c));
		printf("\n");
	}
	fflush(stdout);
	if (all->count)
		fprintf(stderr, "%zu newly allowed, %zu for other approvals, %zu no longer allowed\n", counts[POLICY_WIDENED], counts[POLICY_CHANGED],
		        counts[POLICY_NARROWED]);
	else
		message("no decision changes");
}

int policy_diff_command(struct policy_use *u)
{
	const struct policy *before, *after;
	struct policy_changes all;
	struct error e;
	if (read_both(u, &before, &after, &e) || policy_use_books(u, &e) ||
	    policy_diff(u->arena, before, after, u->books, u->book_count, clock_now_us(), &all, &e))
		return fail(&e, u->json);
	if (u->json)
		print_all_json(u->arena, &all);
	else
		print_all(u->arena, &all);
	return all.count > 0;
}
