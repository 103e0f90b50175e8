#include "base/clock.h"
#include "base/digest.h"
#include "base/failpoint.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/text.h"
#include "policy/book_hosts.h"
#include "service/attempt.h"
#include "service/child.h"
#include "service/children.h"
#include "service/configure.h"
#include "service/engine_state.h"
#include "service/inventory.h"
#include "service/rights.h"
#include "service/secret.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* The beginning of an execution: a book becomes a plan, a plan an execution; and a record becomes an execution again. */

enum { PLAN_BYTES_MAX = 16 << 20 /* a book and CHILDREN_BYTES_MAX, each byte escaped */, NAME_BYTES = 1000 };

static struct execution *execution_alloc(struct engine *en, struct store_reader *reader)
{
	struct execution *x = mem_zero(sizeof *x);
	x->engine = en;
	x->reader = reader;
	x->arena = arena_new();
	x->denied = json_array();
	x->notes = json_array();
	x->secrets_used = json_object();
	x->secret_params = json_object();
	x->secret_aliases = json_object();
	x->ancestors = json_array();
	x->queries = json_object();
	x->trigger = "person";
	return x;
}

enum err execution_allow(struct execution *x, const json_t *patterns, struct error *e)
{
	size_t i, before = x->allowed_count;
	json_t *v;
	json_array_foreach(patterns, i, v)
	{
		struct capability *c;
		enum err err = json_is_string(v) ? capability_parse(x->arena, json_string_value(v), &c, e) : error_set(e, ERR_USAGE, "a capability is text");
		if (err) {
			x->allowed_count = before; /* all of them or none */
			return err;
		}
		x->allowed = arena_grow(x->arena, x->allowed, x->allowed_count, &x->allowed_capacity, sizeof *x->allowed);
		x->allowed[x->allowed_count++] = c;
	}
	json_array_foreach(patterns, i, v) json_array_append(x->allow, v);
	return ERR_OK;
}

/* What the book lets its steps call, and what was allowed. */
static enum err bind_rights(struct execution *x, const json_t *allow, bool declared, struct error *e)
{
	x->is_all_declared = declared;
	x->allow = json_array();
	x->bounds = bounds_new(x->arena, x->book);
	return execution_allow(x, allow, e);
}

static json_t *plan_json(const struct execution *x)
{
	json_t *permissions = json_array();
	for (size_t i = 0; i < x->book->permission_count; i++)
		json_array_append_new(permissions, json_pack("{s:s,s:b}", "pattern", x->book->permissions[i].pattern, "read", x->book->permissions[i].is_read));
	return json_pack("{s:i,s:s,s:o,s:s?,s:s,s:s,s:s,s:O,s:O*,s:o,s:[],s:O*,s:O*}", "version", 1, "book", x->book->digest, "bytes",
	                 json_bytes(x->book->bytes, x->book->byte_count), "anchor", x->book->anchor, "path", x->book_path, "workspace", x->workspace,
	                 "governed_by", x->policy_root, "parameters", x->params, "queries", json_object_size(x->queries) ? x->queries : NULL, "permissions",
	                 permissions, "modules", "children", x->children, "ancestors", json_array_size(x->ancestors) ? x->ancestors : NULL);
}

/* Parameters that name hosts become the hosts that the inventory has now: these are the plan's, whatever it says later. */
static enum err bind_hosts(struct execution *x, const struct execution_wish *w, struct error *e)
{
	const struct inventory *inv;
	if (!book_has_hosts(x->book)) return ERR_OK;
	struct inventory_at *at = engine_inventory(x->engine, x->policy_root);
	enum err err = inventory_now(at, &inv, e);
	if (err == ERR_WAITING && w->awaited) *w->awaited = at;
	return err ? err : book_hosts_bind(x->book, inv, x->params, x->queries, e);
}

/* The plan holds the book's bytes, so that resume needs no file; its digest names it. */
static void store_plan_of(struct execution *x)
{
	struct buf b;
	buf_init(&b, PLAN_BYTES_MAX);
	json_t *plan = plan_json(x);
	must(json_canonical(plan, &b));
	digest_sha256_hex(x->plan_digest, b.data, b.len);
	if (!x->batch) x->batch = store_batch_new();
	store_batch_plan(x->batch, x->plan_digest, b.data, b.len);
	json_decref(plan);
	buf_clear(&b);
}

/* The workspace of a book: the folder above it that holds .rung/, else its own. The path as shown is relative to it. */
static void find_workspace(struct execution *x, const char *path)
{
	char *folder = fs_dirname(path);
	x->workspace = arena_strdup(x->arena, folder);
	for (char *at = mem_strdup(folder), *up; at; at = up) {
		char *mark = mem_printf("%s/.rung", strcmp(at, "/") == 0 ? "" : at);
		bool found = fs_is_dir(mark);
		free(mark);
		if (found) x->workspace = arena_strdup(x->arena, at);
		up = found || strcmp(at, "/") == 0 ? NULL : fs_dirname(at);
		free(at);
	}
	free(folder);
	size_t n = strlen(x->workspace);
	x->book_path = arena_strdup(x->arena, strncmp(path, x->workspace, n) == 0 && path[n] == '/' ? path + n + 1 : path);
}

/* What rules call it. */
static void name_book(struct execution *x)
{
	x->book_name = x->book->anchor ? arena_printf(x->arena, "%s#%s", x->book_path, x->book->anchor) : x->book_path;
}

/* A book of the engine's workspace is read beneath it, whatever its path has become since it was looked at. */
static enum err read_book(struct execution *x, const char *whole, const char *anchor, struct buf *out, struct error *e)
{
	rights_govern(x, whole);
	/* "#" begins an anchor, for rules too. */
	if (strchr(x->book_path, '#')) return error_set(e, ERR_INVALID, "a book's path has no \"#\" in it: rename %.300s", x->book_path);
	x->book_name = anchor ? arena_printf(x->arena, "%s#%s", x->book_path, anchor) : x->book_path;
	enum err err = rights_look(x, e);
	if (err) return err;
	size_t n = strlen(x->policy_root);
	bool is_beneath = strncmp(whole, x->policy_root, n) == 0 && whole[n] == '/';
	return is_beneath ? fs_read_beneath(x->policy_root, whole + n + 1, out, e) : fs_read(whole, out, e);
}

static enum err open_book(struct execution *x, const char *path, struct error *e)
{
	const char *hash = strrchr(path, '#');
	char *file = hash ? mem_printf("%.*s", (int)(hash - path), path) : mem_strdup(path), whole[PATH_MAX];
	struct buf b;
	buf_init(&b, BOOK_BYTES_MAX);
	enum err err = path[0] == '/' ? ERR_OK : error_set(e, ERR_USAGE, "a book is named by its absolute path, not \"%.200s\"", path);
	if (!err && !realpath(file, whole)) err = error_errno(e, "%s", file);
	if (!err && (!text_is_utf8(whole, strlen(whole)) || strlen(whole) > NAME_BYTES))
		err = error_set(e, ERR_INVALID, "a book's path is UTF-8 and has at most %d bytes: rename or move it", NAME_BYTES);
	if (!err && hash && strlen(hash) > NAME_BYTES) err = error_set(e, ERR_INVALID, "an anchor has at most %d bytes", NAME_BYTES);
	if (!err) find_workspace(x, whole);
	if (!err) err = read_book(x, whole, hash ? hash + 1 : NULL, &b, e);
	if (!err) err = book_parse(x->book_path, hash ? hash + 1 : NULL, b.data ? b.data : "", b.len, &x->book, e);
	if (!err) name_book(x);
	buf_clear(&b);
	free(file);
	return err;
}

static enum err build_graph(struct execution *x, struct error *e)
{
	enum err err = graph_build(x->book, &x->graph, e);
	if (!err && x->book->step_count == 0)
		err =
		    error_set(e, ERR_INVALID, "%s has no steps: a step is an item of an ordered list, or a heading, under a section such as Steps or Diagnosis",
		              x->book_path);
	for (size_t i = 0; !err && i < x->book->step_count; i++)
		if (strlen(x->book->steps[i].id) > NAME_BYTES)
			err = error_set(e, ERR_INVALID, "%s:%d: a step's id has at most %d bytes", x->book_path, x->book->steps[i].line, NAME_BYTES);
	return err;
}

/* A book that the parent's plan holds: these bytes, whatever the file says by now. */
static enum err open_child(struct execution *x, const struct execution_wish *w, struct error *e)
{
	const struct execution *up = w->parent;
	const char *path = children_path(up->children, w->book);
	enum err err = children_book(up->children, w->book, &x->book, e);
	if (err) return err;
	x->workspace = arena_strdup(x->arena, up->workspace);
	x->policy_root = arena_strdup(x->arena, up->policy_root);
	x->book_path = arena_strndup(x->arena, path, strcspn(path, "#"));
	x->children = children_below(up->children, path);
	json_array_extend(x->ancestors, up->ancestors);
	json_array_append_new(x->ancestors, json_string(up->book_name));
	name_book(x);
	return rights_look(x, e);
}

static enum err open_wished(struct execution *x, const struct execution_wish *w, struct error *e)
{
	enum err err = w->parent ? open_child(x, w, e) : open_book(x, w->book, e);
	return err || w->parent ? err : children_read(x, e);
}

/* A child's parameter may be another secret of the workspace: it is never looked at here. */
static enum err bind_params(struct execution *x, const struct execution_wish *w, struct error *e)
{
	const char *name;
	json_t *v, *params = json_copy((json_t *)w->params);
	enum err err = ERR_OK;
	if (!params) params = json_object();
	json_object_foreach((json_t *)w->secret_aliases, name, v)
	{
		const struct book_param *p = book_param_get(x->book, name);
		if (!err && p && p->type != PARAM_SECRET) err = error_set(e, ERR_INVALID, "%s takes no secret as its parameter %.100s", x->book_name, name);
		json_object_set_new(params, name, json_string("a name, no value"));
	}
	if (!err) err = book_bind(x->book, params, &x->params, e);
	json_decref(params);
	return err;
}

static void take_aliases(struct execution *x, const json_t *aliases)
{
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)aliases, name, v)
	{
		json_object_del(x->secret_params, name);
		json_object_set(x->secret_aliases, name, v);
	}
}

static void fold_ready(struct execution *x, enum flow_mode mode)
{
	x->flow = flow_new(x->graph, mode);
	x->steps = arena_alloc(x->arena, x->graph->count * sizeof *x->steps);
}

/* The first event moves every step to where it stands. */
static void started(struct execution *x, json_t *data)
{
	(void)data;
	failpoint(EXECUTION_STARTED);
	execution_step_on(x);
}

/* A person's own hand, or a program that runs on a schedule as the service's account. */
static const char *trigger_of(const char *driver)
{
	return strncmp(driver, "service:", 8) == 0 ? "schedule" : "person";
}

static void add_forebear(struct execution *x, const char *who)
{
	x->forebears = arena_grow(x->arena, x->forebears, x->forebear_count, &x->forebear_capacity, sizeof *x->forebears);
	x->forebears[x->forebear_count++] = arena_strdup(x->arena, who);
}

static void take_forebears(struct execution *x, const struct execution *up)
{
	for (size_t i = 0; i < up->forebear_count; i++) add_forebear(x, up->forebears[i]);
	for (size_t i = 0; i < up->driver_count; i++)
		if (!rights_has_driven(x, up->drivers[i])) add_forebear(x, up->drivers[i]);
}

static json_t *forebears_json(const struct execution *x)
{
	json_t *list = json_array();
	for (size_t i = 0; i < x->forebear_count; i++) json_array_append_new(list, json_string(x->forebears[i]));
	return list;
}

static void record_start(struct execution *x, const json_t *alert)
{
	json_t *rights = json_pack("{s:O,s:b}", "allow", x->allow, "declared", x->is_all_declared);
	if (x->forebear_count) json_object_set_new(rights, "forebears", forebears_json(x));
	if (json_object_size(x->secret_aliases)) json_object_set(rights, "secrets", x->secret_aliases);
	json_t *d = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "book", x->book_path, "plan", x->plan_digest, "trigger", x->trigger, "mode",
	                      x->flow->mode == FLOW_AUTO ? "auto" : "guided", "driver", x->driver, "parameters", execution_blob_json(x, x->params), "rights",
	                      execution_blob_json(x, rights), "steps", (int)x->graph->count);
	if (x->book->anchor) json_object_set_new(d, "anchor", json_string(x->book->anchor));
	if (x->incident) json_object_set_new(d, "incident", json_string(x->incident));
	if (alert) json_object_set_new(d, "alert", json_string(x->alert_blob = arena_strdup(x->arena, execution_blob_json(x, alert))));
	if (x->is_under_policy) json_object_set_new(d, "policy", json_string(x->policy_digest));
	if (x->parent.execution)
		json_object_update_new(d, json_pack("{s:s,s:s,s:i,s:i}", "parent", x->parent.execution, "parent_step", x->parent.step, "parent_attempt",
		                                    (int)x->parent.attempt, "parent_call", (int)x->parent.call));
	json_decref(rights);
	execution_emit(x, (struct emit){.kind = RECORD_EXECUTION_STARTED, .step = SIZE_MAX, .by = x->driver, .data = d}, NULL);
}

static void assign_id(struct execution *x, const char *id)
{
	unsigned char random[10];
	if (id) {
		snprintf(x->id, sizeof x->id, "%s", id);
		return;
	}
	random_bytes(random, sizeof random);
	ulid_make(x->id, clock_now_us(), random);
}

static void take_parent(struct execution *x, const char *execution, const char *step, uint32_t attempt, uint32_t call)
{
	x->parent = (struct parent_call){arena_strdup(x->arena, execution), arena_strdup(x->arena, step), attempt, call};
}

enum err execution_prepare(struct engine *en, const struct execution_wish *w, struct execution **out, struct error *e)
{
	struct execution *x = execution_alloc(en, en->reader);
	assign_id(x, w->id);
	x->driver = arena_strdup(x->arena, w->driver);
	x->trigger = w->trigger ? arena_strdup(x->arena, w->trigger) : trigger_of(x->driver);
	if (w->parent) take_parent(x, w->parent_call.execution, w->parent_call.step, w->parent_call.attempt, w->parent_call.call);
	if (w->parent) take_forebears(x, w->parent);
	x->incident = arena_strdup(x->arena, w->incident);
	x->epoch = lease_next(0);
	enum err err = open_wished(x, w, e);
	if (!err) err = build_graph(x, e);
	if (!err) err = engine_check_workspace(en, x->workspace, e);
	if (!err) err = bind_params(x, w, e);
	if (!err) err = bind_hosts(x, w, e);
	if (!err) err = secret_take_params(x, e);
	if (!err) take_aliases(x, w->secret_aliases);
	if (!err) err = bind_rights(x, w->allow, w->is_all_declared, e);
	if (!err) fold_ready(x, w->mode);
	if (!err && w->elevation) err = rights_begin_elevated(x, w->elevation, w->reason, e);
	if (err == ERR_DENIED && w->is_start) rights_record_denied(x, e);
	if (err)
		execution_free(x);
	else
		*out = x;
	return err;
}

enum err execution_new(struct engine *en, const struct execution_wish *w, struct execution **out, struct error *e)
{
	struct execution *x;
	enum err err = execution_prepare(en, w, &x, e);
	if (err) return err;
	err = rights_start(x, e);
	if (err) {
		rights_record_denied(x, e);
		execution_free(x);
		return err;
	}
	failpoint(RUN_PLANNED);
	store_plan_of(x);
	record_start(x, w->alert);
	x->elevation_count = 0; /* by its record */
	if (w->elevation) rights_elevate(x, w->elevation, x->driver, w->reason, NULL);
	flow_refresh(x->flow);
	execution_later(x, started, NULL);
	*out = x;
	return ERR_OK;
}

/* --- back from the record ------------------------------------------------------------------------------------------------------------ */

struct reading {
	struct execution *x;
	struct error *e;
	enum err err;
	bool is_first;
};

static enum err read_plan(struct execution *x, const json_t *start, struct error *e)
{
	struct buf b;
	buf_init(&b, PLAN_BYTES_MAX);
	enum err err = store_plan(x->reader, json_str(start, "plan", ""), &b, e);
	json_t *plan = err ? NULL : json_parse(b.data, b.len, 64, e);
	buf_clear(&b);
	if (!plan) return error_context(e, "the plan of execution %s", x->id);
	snprintf(x->plan_digest, sizeof x->plan_digest, "%s", json_str(start, "plan", ""));
	x->book_path = arena_strdup(x->arena, json_str(plan, "path", "?"));
	x->workspace = arena_strdup(x->arena, json_str(plan, "workspace", "/"));
	x->policy_root = arena_strdup(x->arena, json_str(plan, "governed_by", x->workspace));
	x->children = json_incref(json_obj(plan, "children"));
	if (json_arr(plan, "ancestors")) json_array_extend(x->ancestors, json_arr(plan, "ancestors"));
	buf_init(&b, BOOK_BYTES_MAX);
	json_bytes_get(json_object_get(plan, "bytes"), &b);
	err = book_parse(x->book_path, json_str(plan, "anchor", NULL), b.data ? b.data : "", b.len, &x->book, e);
	if (!err) err = graph_build(x->book, &x->graph, e);
	if (!err) name_book(x);
	buf_clear(&b);
	json_decref(plan);
	return err;
}

static enum err read_start(struct execution *x, const struct record *r, struct error *e)
{
	enum err err = read_plan(x, r->data, e);
	if (err) return err;
	x->driver = arena_strdup(x->arena, json_str(r->data, "driver", "?"));
	x->trigger = arena_strdup(x->arena, json_str(r->data, "trigger", "person"));
	x->incident = arena_strdup(x->arena, json_str(r->data, "incident", NULL));
	x->alert_blob = arena_strdup(x->arena, json_str(r->data, "alert", NULL));
	x->epoch = r->epoch;
	const char *parent = json_str(r->data, "parent", NULL);
	if (parent)
		take_parent(x, parent, json_str(r->data, "parent_step", ""), (uint32_t)json_int(r->data, "parent_attempt", 0),
		            (uint32_t)json_int(r->data, "parent_call", 0));
	snprintf(x->policy_digest, sizeof x->policy_digest, "%s", json_str(r->data, "policy", ""));
	x->is_under_policy = x->policy_digest[0] != 0;
	size_t n;
	char *text = execution_read_blob(x, json_str(r->data, "parameters", NULL), &n);
	x->params = json_loadb(text, n, JSON_ALLOW_NUL, NULL);
	free(text);
	if (!x->params) x->params = json_object();
	text = execution_read_blob(x, json_str(r->data, "rights", NULL), &n);
	json_t *rights = json_loadb(text, n, 0, NULL);
	free(text);
	err = bind_rights(x, json_arr(rights, "allow"), json_bool(rights, "declared", false), e);
	if (json_obj(rights, "secrets")) json_object_update(x->secret_aliases, json_obj(rights, "secrets"));
	size_t i;
	json_t *who;
	json_array_foreach(json_arr(rights, "forebears"), i, who) add_forebear(x, json_string_value(who));
	json_decref(rights);
	fold_ready(x, strcmp(json_str(r->data, "mode", "auto"), "guided") == 0 ? FLOW_GUIDED : FLOW_AUTO);
	flow_refresh(x->flow);
	return err;
}

/* Rights that were allowed later, and notes, live in blobs that the fold does not read. */
static void read_extra(struct execution *x, const struct record *r)
{
	size_t n;
	if (r->kind == RECORD_NOTE_ADDED) {
		char *text = execution_read_blob(x, json_str(r->data, "note", NULL), &n);
		json_array_append_new(x->notes,
		                      json_pack("{s:s?,s:s,s:s,s:I}", "step", r->step, "by", r->by ? r->by : "?", "text", text, "t_us", (json_int_t)r->t_us));
		free(text);
	}
	if (r->kind == RECORD_RIGHT_DECIDED && !json_bool(r->data, "allowed", false) && r->step && json_str(r->data, "pattern", NULL)) {
		char *text = execution_read_blob(x, json_str(r->data, "pattern", NULL), &n);
		json_array_append_new(x->denied, json_pack("{s:s,s:s,s:s,s:s,s:b}", "step", r->step, "by", json_str(r->data, "by", "book"), "words", text,
		                                           "pattern", text, "allowable", strcmp(json_str(r->data, "by", ""), "person") == 0));
		free(text);
	}
	if (r->kind == RECORD_RIGHT_DECIDED && json_bool(r->data, "allowed", false)) {
		char *text = execution_read_blob(x, json_str(r->data, "patterns", NULL), &n);
		json_t *patterns = json_loadb(text, n, 0, NULL);
		execution_allow(x, patterns, NULL);
		json_decref(patterns);
		free(text);
	}
}

static bool read_record(void *arg, uint64_t seq, const char *line, size_t n)
{
	struct reading *g = arg;
	struct record r;
	json_t *hold = NULL;
	g->err = record_decode(line, n, &r, &hold, g->e);
	if (!g->err && g->is_first)
		g->err =
		    r.kind == RECORD_EXECUTION_STARTED ? read_start(g->x, &r, g->e) : error_set(g->e, ERR_VERIFY, "its first record is no execution.started");
	g->is_first = false;
	g->x->last_seq = seq;
	if (!g->err) g->err = execution_fold(g->x, &r, g->e);
	if (!g->err) read_extra(g->x, &r);
	if (g->err) error_context(g->e, "record %llu", (unsigned long long)seq);
	json_decref(hold);
	return g->err == ERR_OK;
}

enum err execution_load(struct engine *en, struct store_reader *reader, const char *id, struct execution **out, struct error *e)
{
	struct execution *x = execution_alloc(en, reader);
	snprintf(x->id, sizeof x->id, "%s", id);
	struct reading g = {.x = x, .e = e, .is_first = true};
	enum err err = store_records(reader, id, 0, 0, read_record, &g, e);
	if (!err) err = g.err;
	if (!err && g.is_first) err = error_set(e, ERR_NOT_FOUND, "there is no execution %s", id);
	if (err) {
		execution_free(x);
		return err;
	}
	flow_refresh(x->flow);
	x->is_loaded_for_reading = true;
	*out = x;
	return ERR_OK;
}

/* Nothing of the execution runs any more: what was in flight is settled by its class. */
static void taken_up(struct execution *x)
{
	failpoint(EXECUTION_TAKE_UP);
	x->is_loaded_for_reading = false;
	x->is_run_dirty = true;
	for (size_t i = 0; i < x->graph->count; i++) {
		x->steps[i].needs_run = true;
		/* A proof that was cut short is run anew. */
		if (x->flow->steps[i].is_verifying) {
			call_settle_open(x, i, "engine_ended", LOSS_STEP);
			attempt_end_proof(x, i, "engine_ended");
			x->steps[i].is_verify_tried = false;
		}
		call_settle_open(x, i, "engine_ended", LOSS_ENGINE);
	}
	failpoint(EXECUTION_TAKEN_UP);
	children_take_up(x);
	execution_step_on(x);
}

void execution_take_up(struct execution *x, const char *by)
{
	x->epoch = lease_next(x->epoch);
	x->is_claiming = true;
	failpoint(EXECUTION_EPOCH);
	if (!x->batch) x->batch = store_batch_new();
	store_batch_lease(x->batch, x->id, (struct lease_claim){.epoch = x->epoch, .last = x->last_seq});
	execution_emit(x, (struct emit){.kind = RECORD_EXECUTION_RESUMED, .step = SIZE_MAX, .by = by, .data = json_pack("{s:s}", "why", "engine_ended")}, NULL);
	lock_wait(x, true, taken_up);
}
