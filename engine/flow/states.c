#include "flow/states.h"

#include <string.h>

static const struct {
	const char *name, *means;
	bool is_over, is_bad;
} step_table[STEP_STATE_N] = {
    [STEP_PENDING] = {"pending", "the steps that it needs are not over", false, false},
    [STEP_READY] = {"ready", "it can start; in guided mode it waits for a person's go", false, false},
    [STEP_WAITING] = {"waiting", "a person does it, answers its question, agrees to it, or is needed by a runbook that it started", false, false},
    [STEP_RUNNING] = {"running", "an attempt is under way", false, false},
    [STEP_SUCCEEDED] = {"succeeded", "its outcome holds", true, false},
    [STEP_FAILED] = {"failed", "it was tried and did not succeed", true, true},
    [STEP_SKIPPED] = {"skipped", "a person, its `if`, or a `go` past it left it out", true, false},
    [STEP_UNKNOWN] = {"unknown", "a call was in flight and nobody knows what became of it: resolve it", false, false},
    [STEP_DIVERGED] = {"diverged", "run again over its recorded answers, it asked something else", true, true},
    [STEP_DENIED] = {"denied", "the right for a call was missing", true, true},
    [STEP_CANCELLED] = {"cancelled", "it was stopped with its execution", true, false},
    [STEP_TIMED_OUT] = {"timed_out", "its deadline passed", true, true},
    [STEP_UNDONE] = {"undone", "its undo was run", true, false},
};

static const struct {
	const char *name, *means;
	bool is_over;
	int exit_status;
} run_table[RUN_STATE_N] = {
    [RUN_PENDING] = {"pending", "not started", false, 5},
    [RUN_RUNNING] = {"running", "a step is running or about to", false, 0},
    [RUN_WAITING] = {"waiting", "a step waits for a person", false, 5},
    [RUN_ATTENTION] = {"attention", "a step ended badly or with an unknown outcome; a person decides", false, 5},
    [RUN_SUCCEEDED] = {"succeeded", "every step succeeded or was skipped", true, 0},
    [RUN_FAILED] = {"failed", "a step failed and the book says stop, or a person did", true, 1},
    [RUN_DIVERGED] = {"diverged", "a step asked something else than its record holds", true, 1},
    [RUN_CANCELLED] = {"cancelled", "a person stopped it", true, 130},
    [RUN_TIMED_OUT] = {"timed_out", "a step's deadline passed and the book says stop", true, 6},
    [RUN_UNDONE] = {"undone", "what it had done was undone", true, 0},
};

static const char *const wait_names[WAIT_N] = {"none", "approval", "person", "go", "answer", "child", "resolve", "decision", "retry"};

enum {
	NOT_STARTED = BIT(STEP_PENDING) | BIT(STEP_READY) | BIT(STEP_WAITING),
	IN_ATTEMPT = BIT(STEP_RUNNING) | BIT(STEP_WAITING) | BIT(STEP_UNKNOWN),
	BAD = BIT(STEP_FAILED) | BIT(STEP_DIVERGED) | BIT(STEP_DENIED) | BIT(STEP_TIMED_OUT),
	OVER = BAD | BIT(STEP_SUCCEEDED) | BIT(STEP_SKIPPED),
};

static const struct flow_transition transitions[FLOW_EVENT_N] = {
    [FLOW_REQUESTED] = {"requested", BIT(STEP_READY), STEP_READY},
    [FLOW_CONDITION] = {"condition evaluated", BIT(STEP_READY), STEP_STATE_N},
    [FLOW_SKIP] = {"skipped", NOT_STARTED, STEP_SKIPPED},
    [FLOW_ATTEMPT_STARTED] = {"attempt started", BIT(STEP_READY) | BIT(STEP_WAITING), STEP_RUNNING},
    [FLOW_ATTEMPT_FINISHED] = {"attempt finished", IN_ATTEMPT, STEP_STATE_N},
    /* A person runs commands of a shell fence on a manual step while it waits, and once it has failed. */
    [FLOW_CALL_STARTED] = {"call started", IN_ATTEMPT | BIT(STEP_READY) | BAD, STEP_STATE_N},
    [FLOW_CALL_FINISHED] = {"call finished", IN_ATTEMPT | BIT(STEP_READY) | BAD, STEP_STATE_N},
    [FLOW_CALL_UNKNOWN] = {"call unknown", IN_ATTEMPT | BIT(STEP_READY) | BAD, STEP_STATE_N},
    [FLOW_CALL_RESOLVED] = {"call resolved", IN_ATTEMPT, STEP_STATE_N},
    [FLOW_VERIFICATION_STARTED] = {"verification started", BIT(STEP_UNKNOWN), STEP_UNKNOWN},
    [FLOW_VERIFICATION_FINISHED] = {"verification finished", BIT(STEP_UNKNOWN), STEP_UNKNOWN},
    [FLOW_QUESTION_ASKED] = {"question asked", BIT(STEP_RUNNING) | BIT(STEP_WAITING) | BIT(STEP_UNKNOWN), STEP_STATE_N},
    [FLOW_QUESTION_ANSWERED] = {"question answered", BIT(STEP_WAITING) | BIT(STEP_UNKNOWN), STEP_STATE_N},
    [FLOW_CHILD_CHANGED] = {"child changed", IN_ATTEMPT, STEP_STATE_N},
    [FLOW_APPROVAL_ASKED] = {"approval asked", BIT(STEP_READY) | BIT(STEP_WAITING), STEP_WAITING},
    [FLOW_APPROVAL_GIVEN] = {"approval given", BIT(STEP_WAITING), STEP_STATE_N},
    [FLOW_APPROVAL_REFUSED] = {"approval refused", BIT(STEP_WAITING), STEP_DENIED},
    [FLOW_APPROVAL_WITHDRAWN] = {"approval withdrawn", BIT(STEP_READY) | BIT(STEP_WAITING), STEP_STATE_N},
    [FLOW_SETTLED] = {"settled", NOT_STARTED | BAD | BIT(STEP_UNKNOWN), STEP_STATE_N},
    [FLOW_RESET] = {"reset", OVER | NOT_STARTED, STEP_PENDING},
};

const struct flow_transition *flow_transition(enum flow_event_kind kind)
{
	must(kind < FLOW_EVENT_N);
	return &transitions[kind];
}

bool flow_is_over(enum step_state s)
{
	return step_table[s].is_over;
}

bool flow_is_bad(enum step_state s)
{
	return step_table[s].is_bad;
}

bool flow_run_is_over(enum run_state s)
{
	return run_table[s].is_over;
}

const char *step_state_name(enum step_state s)
{
	return step_table[s].name;
}

const char *run_state_name(enum run_state s)
{
	return run_table[s].name;
}

const char *flow_wait_name(enum flow_wait w)
{
	return wait_names[w];
}

bool step_state_find(const char *name, enum step_state *out)
{
	for (int i = 0; name && i < STEP_STATE_N; i++)
		if (strcmp(step_table[i].name, name) == 0) return *out = (enum step_state)i, true;
	return false;
}

bool run_state_find(const char *name, enum run_state *out)
{
	for (int i = 0; name && i < RUN_STATE_N; i++)
		if (strcmp(run_table[i].name, name) == 0) return *out = (enum run_state)i, true;
	return false;
}

int run_exit_status(enum run_state s, bool was_denied)
{
	return s == RUN_FAILED && was_denied ? 4 : run_table[s].exit_status;
}

json_t *flow_states_json(void)
{
	json_t *steps = json_array(), *runs = json_array(), *moves = json_array();
	for (int i = 0; i < STEP_STATE_N; i++)
		json_array_append_new(steps,
		                      json_pack("{s:s,s:s,s:b}", "name", step_table[i].name, "means", step_table[i].means, "over", step_table[i].is_over));
	for (int i = 0; i < RUN_STATE_N; i++)
		json_array_append_new(runs, json_pack("{s:s,s:s,s:b,s:i}", "name", run_table[i].name, "means", run_table[i].means, "over", run_table[i].is_over,
		                                      "exit", run_table[i].exit_status));
	for (int i = 0; i < FLOW_EVENT_N; i++) {
		if (!transitions[i].name) continue;
		json_t *from = json_array();
		for (int s = 0; s < STEP_STATE_N; s++)
			if (transitions[i].from & BIT(s)) json_array_append_new(from, json_string(step_table[s].name));
		const char *to = transitions[i].to == STEP_STATE_N ? "as the event says" : step_table[transitions[i].to].name;
		json_array_append_new(moves, json_pack("{s:s,s:o,s:s}", "event", transitions[i].name, "from", from, "to", to));
	}
	return json_pack("{s:o,s:o,s:o}", "steps", steps, "executions", runs, "transitions", moves);
}
