/* What holds of every alert and every decision, whatever came; shared by the fuzz targets of alert/. */
#ifndef ALERT_CHECKS_H
#define ALERT_CHECKS_H

#include "alert/binding.h"
#include "alert/normaliser.h"
#include "base/text.h"

#include <string.h>

static inline void check_text(const char *text, size_t max)
{
	must(text && strlen(text) <= max && text_is_utf8(text, strlen(text)));
}

static inline void check_labels(const struct alert_label *labels, size_t count, size_t max)
{
	must(count <= ALERT_LABELS_MAX);
	for (size_t i = 0; i < count; i++) {
		check_text(labels[i].name, ALERT_LABEL_NAME_BYTES_MAX);
		check_text(labels[i].value, max);
		must(i == 0 || strcmp(labels[i - 1].name, labels[i].name) < 0);
	}
}

static inline void check_alert(const struct alert *al)
{
	check_text(al->name, ALERT_NAME_BYTES_MAX);
	check_text(al->fingerprint, ALERT_NAME_BYTES_MAX);
	check_text(al->group_key, ALERT_KEY_BYTES_MAX);
	check_text(al->link, ALERT_LABEL_BYTES_MAX);
	check_labels(al->labels, al->label_count, ALERT_LABEL_BYTES_MAX);
	check_labels(al->annotations, al->annotation_count, ALERT_NOTE_BYTES_MAX);
	must(*al->fingerprint && al->starts_us >= 0 && al->ends_us >= 0);
	for (size_t i = 0; i < al->label_count; i++) must(alert_label(al, al->labels[i].name) == al->labels[i].value);
	json_t *o = alert_json(al);
	must(json_string_length(json_object_get(o, "fingerprint")) == strlen(al->fingerprint) &&
	     json_object_size(json_object_get(o, "labels")) == al->label_count);
	json_decref(o);
}

/* The same twice; what starts has a book and an account, what is cut does not start. */
static inline void check_decision(struct arena *a, const struct alerts_file *f, const struct alert *al)
{
	struct book_index *books = book_index_new(a);
	struct binding_choice c;
	struct binding_decision d, again;
	const int64_t times_us[] = {INT64_C(1790000000000000)};
	struct binding_state s = {.now_us = times_us[0] + 1, .starts_us = times_us, .failures_us = times_us, .start_count = 1, .failure_count = 1};
	book_index_close(books);
	binding_choose(a, f, books, al, &c);
	binding_decide(a, f, al, &c, &s, &d);
	binding_decide(a, f, al, &c, &s, &again);
	must(d.outcome == again.outcome && d.rail == again.rail && strcmp(d.reason, again.reason) == 0);
	must(d.outcome != BINDING_STARTS || (d.book && d.as && !al->is_cut && al->state == ALERT_FIRING));
	must((d.outcome == BINDING_SUPPRESSED || d.outcome == BINDING_PROPOSED) == (d.rail != BINDING_FREE));
	json_decref(binding_parameters_json(&d));
}

/* Any bytes are read, or refused with a sentence. */
static inline void check_delivery(struct arena *a, const struct alerts_file *f, const char *source, const uint8_t *data, size_t n)
{
	struct alert_delivery d;
	struct error e = {ERR_OK, ""};
	enum err err = alert_read(a, alerts_source_find(f, source), (const char *)data, n, &d, &e);
	must(!err || ((err == ERR_INVALID || err == ERR_TOO_BIG) && *e.text));
	if (err) return;
	must(d.count <= ALERTS_MAX && d.truncated >= 0 && strlen(d.digest) == 64 && d.bytes == n);
	for (size_t i = 0; i < d.count; i++) check_alert(&d.alerts[i]);
	for (size_t i = 0; i < d.count && i < 4; i++) check_decision(a, f, &d.alerts[i]);
}

static inline const struct alerts_file *alerts_of(struct arena *a, const char *text)
{
	const struct alerts_file *f;
	struct error e;
	must(alerts_file_read(a, "fuzz.yaml", text, strlen(text), &f, &e) == ERR_OK);
	return f;
}

#endif
