#ifndef RUNG_CLI_SCREEN_PARTS_H
#define RUNG_CLI_SCREEN_PARTS_H

#include "cli/screen.h"

/* What the files of the screens share. */

/* text in a colour (the parameters of SGR) where s has colours. */
const char *screen_paint(struct arena *a, const struct screen *s, const char *sgr, const char *text);

/* A time of day in the terminal's zone, "" for none. */
const char *screen_time(struct arena *a, int64_t us);

/* The step's id, or its number where ids are long, as wide for all steps of the view. */
const char *screen_label(struct arena *a, const json_t *view, const json_t *step);

/* Mark, label, title, and at the right end how long it took and what came of it. */
const char *screen_step_line(struct arena *a, const json_t *view, const json_t *step, const struct screen *s, unsigned spin);

/* The last lines that a step printed, at most so many, behind a bar. */
void screen_tail(struct lines *out, struct tail *tail, size_t most, const struct screen *s);

/* How many lines at the start say the title over again, and the blank ones behind them. */
size_t screen_title_lines(const struct lines *text, const char *title);

/* What was found so far, the last ones; the runbooks that the step (NULL: any) has started; what a playbook came to. Nothing where there is nothing. */
void screen_findings(struct lines *out, const json_t *view, const struct screen *s);
void screen_children(struct lines *out, const json_t *view, const char *step, const struct screen *s);
void screen_conclusion(struct lines *out, const json_t *view, const struct screen *s);

/* The step's text without the sources of its actions, and without its first paragraph where that is the title again. */
void screen_step_text(struct lines *out, const json_t *step, const struct screen *s);

#endif
