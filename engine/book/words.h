#ifndef RUNG_BOOK_WORDS_H
#define RUNG_BOOK_WORDS_H

#include "book/book.h"

/* What words in headings and texts mean. The tables are in words.c, per language. */

enum section_role {
	ROLE_NEUTRAL,
	ROLE_ACTION,    /* what stands under it is to be done */
	ROLE_NOT_STEPS, /* Meaning, Impact, References, ... */
	ROLE_INFO,      /* Runbook Info */
	ROLE_PARAMETERS,
	ROLE_PERMISSIONS,
	ROLE_ALERTS,
	ROLE_CAUSES,
};

struct heading_meaning {
	enum section_role role;
	enum book_phase phase; /* where role is ROLE_ACTION */
	bool is_bare;          /* the title is the phase's word and nothing else: a poor title for a step */
	bool is_verb;          /* an action only because it begins with a verb */
	bool is_inherited;     /* the action is that of the section above: this heading says none itself */
	bool is_numbered;      /* "Step 1", "1.2", "3)" */
	size_t number_len;     /* bytes of the numbering before the title proper */
};

struct heading_meaning words_of_heading(const char *title);

/* Does the text begin with a verb that tells somebody to do something ("Check ...", "If ...")? */
bool words_is_imperative(const char *text);

/* Does the text begin with a clause that comes before what is to be done ("If the node is down, ...")? */
bool words_is_lead_in(const char *text);

/* Is this text only a promise of one (TODO, TBD, a table of contents)? */
bool words_is_placeholder(const char *text);

/* "Step 1: ", "1.2 ", "Part 3 - ": bytes to skip; is_step tells whether the numbering is that of a step rather than of a part. */
size_t words_numbering(const char *title, bool *is_step);

/* Does a paragraph say that what follows is what a command prints? */
bool words_is_about_output(const char *text);

/* Does a paragraph say what to do when nothing helped? */
bool words_is_escalation(const char *text);

#endif
