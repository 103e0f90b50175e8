#ifndef RUNG_BASE_YAML_H
#define RUNG_BASE_YAML_H

#include "base/arena.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* rung's own YAML files (.rung/ *.yaml), read strictly: one document of maps, lists and texts, each node with its place. Refused, with file, line, column and
 * what to write instead: anchors, aliases, tags, directives, several documents, duplicate keys, keys that are no text, control characters and invisible marks
 * (in comments too), line ends that only YAML knows, what is nested deeper than YAML_DEPTH_MAX or longer than YAML_BYTES_MAX. The typed readers below say what
 * was expected and what is there. source: DESIGN.md 7 and 10 */

enum { YAML_BYTES_MAX = 1 << 20, YAML_DEPTH_MAX = 16, YAML_TEXT_BYTES_MAX = 65536, YAML_KEYS_MAX = 10000 };

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

/* All of it lives in the arena. */
struct yaml {
	enum yaml_kind kind;
	const char *file;    /* as given to yaml_read */
	int line, column;    /* from 1 */
	const char *text;    /* YAML_TEXT; "" where nothing stands after a key */
	bool is_quoted;      /* YAML_TEXT in quotes or as a block: never a number or a bool */
	struct yaml **items; /* of a list; of a map the values */
	struct yaml **keys;  /* of a map */
	size_t count;
};

/* Reads n bytes; file is for messages. A file with nothing in it is an empty map. ERR_INVALID or ERR_TOO_BIG. */
enum err yaml_read(struct arena *a, const char *file, const char *bytes, size_t n, struct yaml **out, struct error *e);

/* The same of a file's bytes; ERR_NOT_FOUND where there is none. shown: how messages name it. */
enum err yaml_read_file(struct arena *a, const char *path, const char *shown, struct yaml **out, struct error *e);

/* Fills e with "file:line:column: ..." and returns ERR_INVALID. */
enum err yaml_wrong(const struct yaml *at, struct error *e, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The value of a key, or NULL. */
struct yaml *yaml_get(const struct yaml *map, const char *key);

/* Is it a map whose keys are all among these (ends with NULL)? The message names the nearest. what: "a rule", for the message. */
enum err yaml_keys(const struct yaml *map, const char *what, const char *const *keys, struct error *e);

/* Each reads one value; what names it in the message ("the timeout of a command"). Text is never empty. */
enum err yaml_map(const struct yaml *v, const char *what, struct error *e);
enum err yaml_text(const struct yaml *v, const char *what, const char **out, struct error *e);
enum err yaml_bool(const struct yaml *v, const char *what, bool *out, struct error *e);
enum err yaml_int(const struct yaml *v, const char *what, int64_t least, int64_t most, int64_t *out, struct error *e);
enum err yaml_duration(const struct yaml *v, const char *what, int64_t *us, struct error *e);

/* A day, in UTC (its beginning; is_end: its end), or an instant with its zone. */
enum err yaml_instant(const struct yaml *v, const char *what, bool is_end, int64_t *us, struct error *e);

/* A list of texts; a single text counts as a list of one. *items are the nodes, so that their places are known. */
enum err yaml_texts(const struct yaml *v, const char *what, struct yaml ***items, size_t *count, struct arena *a, struct error *e);

/* The index in words (ends with NULL) of a text; the message lists them. */
enum err yaml_word(const struct yaml *v, const char *what, const char *const *words, size_t *index, struct error *e);

/* Are brackets nested deeper than that? To be asked before libyaml sees a text: it takes more than linear time on them (39 KB of "[": 6 s). */
bool yaml_is_too_deep(const char *text, size_t n, int depth_max);

#endif
