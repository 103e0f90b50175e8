#ifndef RUNG_POLICY_CAPABILITY_PARTS_H
#define RUNG_POLICY_CAPABILITY_PARTS_H

#include "policy/capability.h"

/* What a pattern is made of: shared by the files capability*.c, nobody else's. */

enum piece_kind {
	PIECE_TEXT,
	PIECE_STAR,
	PIECE_CHOICE,
	PIECE_PARAM,
	PIECE_REST, /* `**`; only between the reading of words and that of parts, which turn it into is_rest */
};

struct piece {
	enum piece_kind kind;
	const char *text; /* PIECE_TEXT: itself; PIECE_PARAM: the name */
	const char **choices;
	size_t choice_count, choice_capacity;
};

/* A pattern for one text: an argument, a host, a path. */
struct glob {
	struct piece *pieces;
	size_t count, capacity;
	bool is_rest;     /* ends in `**`: whatever follows */
	const char *from; /* of a word: where it begins in the pattern's text */
};

/* What a glob is matched against. The parts of a target come first, those of an argument list last. */
enum part {
	PART_LOGIN,
	PART_METHOD,
	PART_SCHEME,
	PART_HOST,
	PART_AS,
	PART_PORT,
	PART_PATH,
	PART_QUERY,
	PART_NAME,
	PART_BOOK, /* also a file on a host */
	PARTS,
	PART_COMMAND = PARTS,
	PART_ARGUMENT,
	PART_N
};

struct capability {
	const char *text, *kind;
	const struct glob *parts[PARTS]; /* NULL: a request that has the part does not match */
	struct glob *words;              /* the argument list of sh and ssh: a PART_COMMAND, then PART_ARGUMENTs */
	size_t count, capacity;
	const char *danger;
};

struct capability_request {
	const char *kind;
	const char *parts[PARTS]; /* normalised, NULL where it has none */
	const char *const *words;
	size_t count;
	const char *fault;
};

/* The bytes that `*` and a parameter do not cross in a part: "." in a host, "/" in a path. */
const char *part_stops(enum part p);

/* Does the part keep %XX as three bytes that belong together? */
bool part_has_escapes(enum part p);

/* Is the glob one star or one parameter and nothing else? */
bool glob_is_only(const struct glob *g, enum piece_kind kind);

/* The text of a glob without stars, alternatives and parameters; NULL where it has one. */
const char *glob_literal(const struct glob *g);

/* Does a value begin at s[at]? There neither `*` nor a parameter takes a "-". */
bool value_begins(enum part p, const char *s, size_t at);

/* Splits a pattern (without its kind) into words. Globs may hold PIECE_RESTs. */
enum err capability_read_words(struct arena *a, const char *text, struct glob **words, size_t *count, struct error *e);

/* Reads the words of a kind into the parts of c. */
enum err capability_read_parts(struct arena *a, struct capability *c, struct glob *words, size_t count, struct error *e);

/* Does the glob match the whole text? */
bool glob_matches(const struct glob *g, enum part p, const char *text, const json_t *params);

/* For capability_danger: looks at the argument list. A static text, or NULL. */
const char *command_danger(const struct glob *words, size_t count);

#endif
