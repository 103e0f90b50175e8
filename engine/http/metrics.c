#include "base/clock.h"
#include "flow/escalation.h"
#include "http/route.h"
#include "service/incident.h"
#include "service/intake.h"
#include "store/stats.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* GET /metrics: how the engine stands, and what it has done since it started. Names and labels are from tables, never from books, alerts or people, so that
 * there is a bounded number of them. source: Prometheus text format 0.0.4 */

enum { METRICS_BYTES_MAX = 1 << 20 };

/* ---- the format ---- */

static void family(struct buf *b, const char *name, const char *type, const char *help)
{
	buf_printf(b, "# HELP rung_%s %s\n# TYPE rung_%s %s\n", name, help, name, type);
}

static void sample(struct buf *b, const char *name, const char *label, const char *value, uint64_t n)
{
	if (label)
		buf_printf(b, "rung_%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)n);
	else
		buf_printf(b, "rung_%s %llu\n", name, (unsigned long long)n);
}

static void single(struct buf *b, const char *name, const char *type, const char *help, uint64_t n)
{
	family(b, name, type, help);
	sample(b, name, NULL, NULL, n);
}

/* ---- executions ---- */

static void add_live(struct buf *b, const struct engine *en)
{
	uint64_t runs[RUN_STATE_N] = {0}, steps[STEP_STATE_N] = {0};
	for (const struct execution *x = en->executions; x; x = x->next) {
		runs[x->flow->state]++;
		for (size_t i = 0; i < x->graph->count; i++) steps[x->flow->steps[i].state]++;
	}
	family(b, "executions", "gauge", "Executions that this engine drives, by state.");
	for (int s = 0; s < RUN_STATE_N; s++) sample(b, "executions", "state", run_state_name((enum run_state)s), runs[s]);
	family(b, "steps", "gauge", "Steps of those executions, by state.");
	for (int s = 0; s < STEP_STATE_N; s++) sample(b, "steps", "state", step_state_name((enum step_state)s), steps[s]);
}

/* Records of a kind, by the word that says how each ended. */
static void add_kind(struct buf *b, const struct store_stats *stats, enum record_kind kind, const char *name, const char *label, const char *help)
{
	uint64_t all = 0;
	family(b, name, "counter", help);
	for (int i = 0; i < STORE_WORDS_MAX; i++) {
		const struct store_word *w = &stats->of[kind][i];
		all += w->count;
		if (label && w->count && *w->word) sample(b, name, label, w->word, w->count);
	}
	if (!label) sample(b, name, NULL, NULL, all);
}

static const struct {
	enum record_kind kind;
	const char *name, *label, *help;
} kinds[] = {
    {RECORD_EXECUTION_STARTED, "executions_started_total", NULL, "Executions that began."},
    {RECORD_EXECUTION_FINISHED, "executions_finished_total", "state", "Executions that ended, by state."},
    {RECORD_ATTEMPT_FINISHED, "attempts_finished_total", "outcome", "Tries of steps that ended, by outcome."},
    {RECORD_CALL_STARTED, "calls_started_total", NULL, "Calls that steps were about to make."},
    {RECORD_CALL_FINISHED, "calls_finished_total", "outcome", "Calls with an outcome, by outcome."},
    {RECORD_CALL_UNKNOWN, "calls_unknown_total", NULL, "Calls of which nobody knew what became of them."},
    {RECORD_START_DENIED, "starts_denied_total", NULL, "Books that somebody wanted run, and might not."},
    {RECORD_INCIDENT_OPENED, "incidents_opened_total", NULL, "Incidents that were opened."},
    {RECORD_INCIDENT_ACKNOWLEDGED, "incidents_acknowledged_total", NULL, "Acknowledgements of incidents."},
    {RECORD_INCIDENT_RESOLVED, "incidents_resolved_total", NULL, "Incidents that were resolved."},
    {RECORD_ESCALATION_RAISED, "escalations_raised_total", "trigger", "What asked for a person, by trigger."},
    {RECORD_LEVEL_REACHED, "escalation_levels_reached_total", NULL, "Levels of escalation policies that were reached."},
    {RECORD_ESCALATION_EXHAUSTED, "escalations_exhausted_total", NULL, "Escalations of which every level was reached and nobody acknowledged."},
    {RECORD_NOTIFICATION_FINISHED, "notifications_finished_total", "result", "Messages to people, by result."},
};

/* ---- alerts and incidents ---- */

static void add_alerts(struct buf *b, struct engine *en)
{
	const struct intake_counters *c = intake_counters(en);
	single(b, "alert_deliveries_total", "counter", "Deliveries of alerts that were taken.", c->deliveries);
	family(b, "alerts_total", "counter", "Alerts that were taken, by what was decided.");
	for (int o = 0; o < BINDING_OUTCOME_N; o++) sample(b, "alerts_total", "outcome", binding_outcome_word((enum binding_outcome)o), c->outcomes[o]);
	sample(b, "alerts_total", "outcome", "late", c->late);
	sample(b, "alerts_total", "outcome", "repeat", c->repeats);
	const struct {
		const char *why;
		uint64_t n;
	} refused[] = {{"forged", c->forged},
	               {"unknown_source", c->unknown_source},
	               {"malformed", c->malformed},
	               {"too_big", c->too_big},
	               {"unavailable", c->unavailable}};
	family(b, "alert_deliveries_refused_total", "counter", "Deliveries of alerts that were refused, by reason.");
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) sample(b, "alert_deliveries_refused_total", "reason", refused[i].why, refused[i].n);
}

static void add_incidents(struct buf *b, struct engine *en)
{
	uint64_t by_state[INCIDENT_STATE_N] = {0}, climbing = 0;
	size_t at = 0;
	for (struct incident *inc; (inc = incident_next(en, &at));) {
		by_state[inc->flow->state]++;
		climbing += inc->escalating && inc->flow->state == INCIDENT_OPEN;
	}
	family(b, "incidents", "gauge", "Incidents that are open, by state; of resolved ones those that are still remembered.");
	for (int s = 0; s < INCIDENT_STATE_N; s++) sample(b, "incidents", "state", incident_state_name((enum incident_state)s), by_state[s]);
	single(b, "escalations_open", "gauge", "Incidents for which a person was asked and nobody has acknowledged.", climbing);
}

/* ---- the store ---- */

static void add_latency(struct buf *b, const struct store_stats *stats)
{
	uint64_t below = 0;
	family(b, "store_commit_seconds", "histogram", "From handing changes to the store until they are durable.");
	for (int i = 0; i < STORE_BUCKETS; i++)
		buf_printf(b, "rung_store_commit_seconds_bucket{le=\"%g\"} %llu\n", (double)store_bucket_us[i] / 1e6,
		           (unsigned long long)(below += stats->latency[i]));
	buf_printf(b, "rung_store_commit_seconds_bucket{le=\"+Inf\"} %llu\n", (unsigned long long)stats->batches);
	buf_printf(b, "rung_store_commit_seconds_sum %.6f\n", (double)stats->latency_us / 1e6);
	buf_printf(b, "rung_store_commit_seconds_count %llu\n", (unsigned long long)stats->batches);
}

static void add_store(struct buf *b, struct engine *en, const struct store_stats *stats)
{
	single(b, "store_records_total", "counter", "Records that became durable.", stats->records);
	single(b, "store_transactions_total", "counter", "Transactions, each with one fsync and one signed checkpoint.", stats->groups);
	single(b, "store_failures_total", "counter", "Changes that could not be stored.", stats->failed);
	single(b, "store_queue", "gauge", "Changes that are not durable yet.", stats->open_batches);
	single(b, "store_reserve_spent", "gauge", "1: the disk was full, alerts are refused.", store_is_reserve_spent(en->store));
	add_latency(b, stats);
}

/* ---- HTTP ---- */

static void add_http(struct buf *b, struct http *h)
{
	static const char *const phases[CONNECTION_PHASE_N] = {"head", "idle", "body", "engine", "answer", "stream"};
	uint64_t in[CONNECTION_PHASE_N] = {0}, clients = 0;
	for (const struct client *c = h->en->clients; c; c = c->next) clients += c->link != NULL;
	pthread_mutex_lock(&h->lock);
	for (const struct connection *c = h->connections; c; c = c->next) in[c->phase]++;
	family(b, "http_requests_total", "counter", "Requests that were answered, by status.");
	for (int s = 0; s < HTTP_STATUS_MAX; s++) {
		char code[16];
		snprintf(code, sizeof code, "%d", s);
		if (h->answered[s]) sample(b, "http_requests_total", "code", code, h->answered[s]);
	}
	family(b, "http_connections", "gauge", "Connections, by what they wait for.");
	for (int p = 0; p < CONNECTION_PHASE_N; p++) sample(b, "http_connections", "phase", phases[p], in[p]);
	family(b, "http_connections_cut_total", "counter", "Connections that took too long, had gone, or made room, by what they waited for.");
	for (int p = 0; p < CONNECTION_PHASE_N; p++) sample(b, "http_connections_cut_total", "phase", phases[p], h->cut[p]);
	single(b, "http_malformed_requests_total", "counter", "Requests that were not written as HTTP has it.", h->refused_heads);
	single(b, "http_waiting_requests", "gauge", "Requests that wait for the engine.", h->waiting);
	single(b, "http_bodies_bytes", "gauge", "Bytes of requests that are read or answered.", h->bodies_bytes);
	pthread_mutex_unlock(&h->lock);
	single(b, "http_streams", "gauge", "Streams of live events.", h->stream_count);
	single(b, "socket_clients", "gauge", "Clients at the engine's sockets.", clients);
}

/* ---- the process, by the names that all exporters have ---- */

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");
	if (f && fscanf(f, "%*s %llu", &pages) != 1) pages = 0;
	if (f) fclose(f);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t open_descriptors(void)
{
	uint64_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	while (d && readdir(d)) n++;
	if (d) closedir(d);
	return n > 3 ? n - 3 : 0; /* . and .. and the folder's own */
}

static void add_process(struct buf *b, const struct http *h)
{
	buf_printf(b,
	           "# HELP process_start_time_seconds When the process started, since 1970.\n# TYPE process_start_time_seconds gauge\n"
	           "process_start_time_seconds %.3f\n",
	           (double)h->started_us / 1e6);
	buf_printf(b, "# HELP process_resident_memory_bytes Resident memory.\n# TYPE process_resident_memory_bytes gauge\nprocess_resident_memory_bytes %llu\n",
	           (unsigned long long)resident_bytes());
	buf_printf(b, "# HELP process_open_fds Open descriptors.\n# TYPE process_open_fds gauge\nprocess_open_fds %llu\n",
	           (unsigned long long)open_descriptors());
	family(b, "build_info", "gauge", "1, of the version that runs.");
	sample(b, "build_info", "version", RUNG_VERSION, 1);
}

void route_metrics(struct exchange *x)
{
	struct http *h = x->http;
	struct store_stats *stats = mem_alloc(sizeof *stats);
	struct buf b;
	buf_init(&b, METRICS_BYTES_MAX);
	store_stats(h->en->store, stats);
	add_live(&b, h->en);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) add_kind(&b, stats, kinds[i].kind, kinds[i].name, kinds[i].label, kinds[i].help);
	add_alerts(&b, h->en);
	add_incidents(&b, h->en);
	add_store(&b, h->en, stats);
	add_http(&b, h);
	add_process(&b, h);
	free(stats);
	must(!b.is_full);
	reply_text(&x->reply, 200, "text/plain; version=0.0.4; charset=utf-8", &b);
	exchange_done(x);
}
