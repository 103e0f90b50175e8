#include "store/stats.h"
#include "store/internal.h"

#include <string.h>

const int64_t store_bucket_us[STORE_BUCKETS] = {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000};

const char *stats_word(const struct record *r)
{
	static const char *const keys[] = {"outcome", "state", "result", "trigger"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const char *word = json_str(r->data, keys[i], NULL);
		if (word) return word;
	}
	return "";
}

/* Words come from tables: more of one kind than there is room for are counted as the last one. */
static void count_word(struct store_word *of, const char *word)
{
	size_t i = 0;
	while (i < STORE_WORDS_MAX - 1 && of[i].count && strncmp(of[i].word, word, STORE_WORD_BYTES - 1) != 0) i++;
	if (!of[i].count) snprintf(of[i].word, sizeof of[i].word, "%s", i < STORE_WORDS_MAX - 1 ? word : "other");
	of[i].count++;
}

static void count_latency(struct store_stats *stats, int64_t took_us)
{
	size_t i = 0;
	while (i < STORE_BUCKETS && took_us > store_bucket_us[i]) i++;
	if (i < STORE_BUCKETS) stats->latency[i]++;
	stats->latency_us += took_us > 0 ? (uint64_t)took_us : 0;
}

void stats_count_group(struct store_stats *stats, const struct store_batch *group, int64_t now_us)
{
	stats->groups++;
	for (const struct store_batch *b = group; b; b = b->next) {
		if (b->err) {
			stats->failed++;
			continue;
		}
		stats->batches++;
		stats->records += b->records;
		count_latency(stats, now_us - b->submitted_us);
		for (const struct op *o = b->first; o; o = o->next)
			if (o->kind == OP_RECORD) count_word(stats->of[o->record.kind], o->record.word);
	}
}

void store_stats(struct store *s, struct store_stats *out)
{
	pthread_mutex_lock(&s->mutex);
	*out = s->stats;
	out->open_batches = s->open_batches;
	pthread_mutex_unlock(&s->mutex);
}
