#ifndef RUNG_STORE_STATS_H
#define RUNG_STORE_STATS_H

#include "store/store.h"

/* What the store has done since it was opened: for whoever measures. */

enum { STORE_BUCKETS = 14, STORE_WORDS_MAX = 16, STORE_WORD_BYTES = 24 };

/* Upper bounds of the buckets of latencies, in microseconds; what took longer is in none of them, and in the count. */
extern const int64_t store_bucket_us[STORE_BUCKETS];

/* Records of one kind by the word that says how it ended (d.outcome, d.state, d.result, d.trigger: the first of them that it has); "" of those without one. */
struct store_word {
	char word[STORE_WORD_BYTES];
	uint64_t count;
};

struct store_stats {
	uint64_t records, batches, groups; /* durable; groups: transactions, each with its fsync and checkpoint */
	uint64_t failed;                   /* batches that could not be stored */
	uint64_t latency[STORE_BUCKETS];   /* of batches, from being submitted to being durable: each counted in its first bucket */
	uint64_t latency_us;               /* all of them together */
	struct store_word of[RECORD_KIND_N][STORE_WORDS_MAX];
	size_t open_batches; /* submitted, not answered yet */
};

void store_stats(struct store *s, struct store_stats *out);

/* For the writer: what a group of batches came to. Its mutex is held. */
struct store_batch;
void stats_count_group(struct store_stats *stats, const struct store_batch *group, int64_t now_us);

/* The word of a record, as above; borrowed, or "". */
const char *stats_word(const struct record *r);

#endif
