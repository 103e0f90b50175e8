#include "book/book.h"

/* The book as JSON. Members that the author did not give are left out. */

static void set_str(json_t *o, const char *key, const char *value)
{
	if (value) json_object_set_new(o, key, json_string(value));
}

static void set_us(json_t *o, const char *key, int64_t us)
{
	if (us) json_object_set_new(o, key, json_integer(us));
}

static json_t *strings(const char *const *items, size_t n)
{
	json_t *all = json_array();
	for (size_t i = 0; i < n; i++) json_array_append_new(all, json_string(items[i]));
	return all;
}

static json_t *meta_json(const struct book_meta *m, size_t n)
{
	json_t *all = json_array();
	for (size_t i = 0; i < n; i++) json_array_append_new(all, json_pack("{s:s, s:s, s:i}", "key", m[i].key, "value", m[i].value, "line", m[i].line));
	return all;
}

static json_t *param_json(const struct book_param *p)
{
	json_t *o = json_pack("{s:s, s:s, s:b, s:b, s:i}", "name", p->name, "type", param_type_word(p->type), "required", p->is_required, "input", p->is_input,
	                      "line", p->line);
	set_str(o, "pattern", p->pattern);
	if (p->choice_count) json_object_set_new(o, "choices", strings(p->choices, p->choice_count));
	if (p->has_min) json_object_set_new(o, "min", json_real(p->min));
	if (p->has_max) json_object_set_new(o, "max", json_real(p->max));
	set_str(o, "default", p->default_text);
	set_str(o, "description", p->description);
	return o;
}

static json_t *fence_json(const struct book_fence *f)
{
	json_t *o = json_pack("{s:s, s:s, s:i}", "role", fence_role_word(f->role), "language", f->language, "line", f->line);
	set_str(o, "source", f->source);
	if (f->is_run) json_object_set_new(o, "run", json_true());
	if (f->role == FENCE_SHELL) {
		json_t *commands = json_array();
		for (size_t i = 0; i < f->command_count; i++)
			json_array_append_new(commands, json_pack("{s:s, s:i}", "text", f->commands[i], "line", f->command_lines[i]));
		json_object_set_new(o, "commands", commands);
	}
	set_str(o, "expected", f->expected);
	return o;
}

static void step_attributes_json(const struct book_step *s, json_t *o)
{
	if (s->needs_given) json_object_set_new(o, "needs", strings(s->needs, s->needs_count));
	set_str(o, "if", s->if_source);
	set_str(o, "each", s->each_source);
	set_str(o, "targets", s->targets_source);
	set_str(o, "max_concurrency", s->max_concurrency);
	set_str(o, "max_errors", s->max_errors);
	set_us(o, "timeout_us", s->timeout_us);
	set_us(o, "delay_us", s->delay_us);
	set_us(o, "expect_within_us", s->expect_within_us);
	if (s->retry) json_object_set_new(o, "retry", json_integer(s->retry));
	if (s->backoff > 1) json_object_set_new(o, "backoff", json_real(s->backoff));
	json_object_set_new(o, "on_failure", json_string(on_failure_word(s->on_failure)));
	if (s->on_failure == ON_FAILURE_GOTO) {
		set_str(o, "goto", s->goto_id);
		json_object_set_new(o, "max", json_integer(s->goto_max));
	}
	if (s->effect != EFFECT_UNSET) json_object_set_new(o, "effect", json_string(effect_word(s->effect)));
	json_object_set_new(o, "risk", json_string(risk_word(s->risk)));
	if (s->approve) json_object_set_new(o, "approve", json_integer(s->approve));
	set_str(o, "from", s->from);
	set_str(o, "owner", s->owner);
	set_str(o, "expect", s->expect);
	set_str(o, "irreversible", s->irreversible);
	if (s->permission_count) json_object_set_new(o, "permissions", strings(s->permissions, s->permission_count));
	if (s->other_count) json_object_set_new(o, "other", meta_json(s->other, s->other_count));
}

static json_t *step_json(const struct book_step *s)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:s, s:b}", "id", s->id, "title", s->title, "line", s->line, "line_end", s->line_end, "phase",
	                      phase_word(s->phase), "manual", s->is_manual);
	if (s->is_implicit) json_object_set_new(o, "implicit", json_true());
	set_str(o, "section", s->section);
	set_str(o, "markdown", s->markdown);
	step_attributes_json(s, o);
	json_t *fences = json_array();
	for (size_t i = 0; i < s->fence_count; i++) json_array_append_new(fences, fence_json(&s->fences[i]));
	json_object_set_new(o, "fences", fences);
	return o;
}

static json_t *cause_json(const struct book_cause *c)
{
	static const char *const kinds[] = {[CAUSE_LITERAL] = "value", [CAUSE_PARAM] = "param", [CAUSE_EVIDENCE] = "evidence"};
	json_t *o = json_pack("{s:s, s:s, s:s, s:i}", "id", c->id, "text", c->text, "mode", cause_mode_word(c->mode), "line", c->line);
	json_t *gives = json_array();
	set_str(o, "runbook", c->runbook);
	if (c->is_link) json_object_set_new(o, "link", json_true());
	set_str(o, "parameters", c->parameters);
	for (size_t i = 0; i < c->param_count; i++)
		json_array_append_new(gives, json_pack("{s:s, s:s}", "name", c->params[i].name, kinds[c->params[i].kind], c->params[i].text));
	json_object_set_new(o, "gives", gives);
	set_us(o, "within_us", c->within_us);
	return o;
}

json_t *book_json(const struct book *b)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s}", "path", b->path, "kind", book_kind_word(b->kind), "title", b->title, "digest", b->digest);
	json_t *params = json_array(), *permissions = json_array(), *steps = json_array(), *causes = json_array();
	set_str(o, "anchor", b->anchor);
	set_str(o, "id", b->id);
	set_str(o, "description", b->description);
	json_object_set_new(o, "meta", meta_json(b->meta, b->meta_count));
	for (size_t i = 0; i < b->param_count; i++) json_array_append_new(params, param_json(&b->params[i]));
	json_object_set_new(o, "parameters", params);
	for (size_t i = 0; i < b->permission_count; i++) {
		const struct book_permission *p = &b->permissions[i];
		json_array_append_new(permissions, json_pack("{s:s, s:b, s:i}", "pattern", p->pattern, "read", p->is_read, "line", p->line));
	}
	json_object_set_new(o, "permissions", b->has_permissions ? permissions : json_null());
	if (!b->has_permissions) json_decref(permissions);
	for (size_t i = 0; i < b->step_count; i++) json_array_append_new(steps, step_json(&b->steps[i]));
	json_object_set_new(o, "steps", steps);
	json_object_set_new(o, "alerts", strings(b->alerts, b->alert_count));
	for (size_t i = 0; i < b->cause_count; i++) json_array_append_new(causes, cause_json(&b->causes[i]));
	json_object_set_new(o, "causes", causes);
	return o;
}
