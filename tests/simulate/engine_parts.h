#ifndef RUNG_TESTS_SIMULATE_ENGINE_PARTS_H
#define RUNG_TESTS_SIMULATE_ENGINE_PARTS_H

#include "simulate.h"

/* What the files of the simulated engine share. */

/* engine_record.c */

void engine_sure(const struct engine *g, bool was_taken);
struct sim_call *engine_find_call(struct engine *g, size_t step, uint32_t attempt, uint32_t number);
bool engine_fold(struct engine *g, const struct line *l);
bool engine_event(struct engine *g, enum flow_event_kind kind, size_t step, enum step_state outcome);
bool engine_emit_call(struct engine *g, enum flow_event_kind kind, size_t step, const struct flow_call *c, struct line l);
void engine_later(struct engine *g, struct later l);
void engine_commit(struct engine *g);

/* engine_call.c */

void engine_finish_call(struct engine *g, size_t step, struct sim_call *c, uint64_t answer, bool is_failure);
void engine_unknown_call(struct engine *g, size_t step, struct sim_call *c);
void engine_make_call(struct engine *g, size_t step, struct sim_call *c);
bool engine_start_call(struct engine *g, size_t step, const struct flow_call *c, struct line l);
void engine_remake_call(struct engine *g, size_t step, struct sim_call *c);
void engine_depart(struct engine *g, const struct later *l);
void engine_cancel_open(struct engine *g, size_t step);
void engine_settle_open(struct engine *g, size_t step, enum call_loss loss);
void engine_settle_flying(struct engine *g);

/* engine_attempt.c */

void engine_begin_live(struct engine *g, size_t step, enum purpose purpose);
void engine_drop_live(struct engine *g, size_t step);
void engine_end_proof(struct engine *g, size_t step);
void engine_calls_changed(struct engine *g, size_t step);
bool engine_any_under_way(const struct engine *g, size_t step);
void engine_stop(struct engine *g, size_t step, enum step_state outcome);
void engine_deliver(struct engine *g, size_t step);

/* engine_approval.c */

void engine_fold_approval(struct engine *g, const struct line *l);
bool engine_gate(struct engine *g, size_t step);        /* may the step begin? */
bool engine_may_by_hand(struct engine *g, size_t step); /* may a person say that they did it? */
void engine_advance_approvals(struct engine *g);
int64_t engine_approvals_pass_us(struct engine *g);
void engine_ask_others(struct engine *g, size_t step, struct sim_call *c);
void engine_agree(struct engine *g, size_t step); /* somebody says yes or no to what waits */

/* engine.c */

void engine_run_laters(struct engine *g);

#endif
