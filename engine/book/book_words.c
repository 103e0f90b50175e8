#include "book/book.h"

/* The words of the enums, as they stand in books and JSON. */

const char *phase_word(enum book_phase p)
{
	static const char *const words[] = {[PHASE_STEPS] = "steps",
	                                    [PHASE_PREPARATION] = "preparation",
	                                    [PHASE_DIAGNOSIS] = "diagnosis",
	                                    [PHASE_MITIGATION] = "mitigation",
	                                    [PHASE_VERIFICATION] = "verification",
	                                    [PHASE_ROLLBACK] = "rollback",
	                                    [PHASE_ESCALATION] = "escalation",
	                                    [PHASE_OTHER] = "other"};
	must((size_t)p < sizeof words / sizeof words[0]);
	return words[p];
}

const char *effect_word(enum step_effect e)
{
	static const char *const words[] = {[EFFECT_UNSET] = "unset",           [EFFECT_ONCE] = "once",   [EFFECT_READ] = "read",
	                                    [EFFECT_IDEMPOTENT] = "idempotent", [EFFECT_KEYED] = "keyed", [EFFECT_RECEIPT] = "receipt"};
	must((size_t)e < sizeof words / sizeof words[0]);
	return words[e];
}

const char *risk_word(enum step_risk r)
{
	static const char *const words[] = {[RISK_READ] = "read", [RISK_CHANGE] = "change", [RISK_DESTRUCTIVE] = "destructive"};
	must((size_t)r < sizeof words / sizeof words[0]);
	return words[r];
}

const char *on_failure_word(enum step_on_failure o)
{
	static const char *const words[] = {
	    [ON_FAILURE_STOP] = "stop", [ON_FAILURE_CONTINUE] = "continue", [ON_FAILURE_GOTO] = "goto", [ON_FAILURE_UNDO] = "undo"};
	must((size_t)o < sizeof words / sizeof words[0]);
	return words[o];
}

const char *param_type_word(enum param_type t)
{
	static const char *const words[] = {[PARAM_STRING] = "string", [PARAM_INT] = "int",           [PARAM_NUMBER] = "number", [PARAM_BOOL] = "bool",
	                                    [PARAM_ENUM] = "enum",     [PARAM_LIST] = "list",         [PARAM_MAP] = "map",       [PARAM_HOST] = "host",
	                                    [PARAM_HOSTS] = "hosts",   [PARAM_DURATION] = "duration", [PARAM_SECRET] = "secret"};
	must((size_t)t < sizeof words / sizeof words[0]);
	return words[t];
}

const char *fence_role_word(enum fence_role r)
{
	static const char *const words[] = {
	    [FENCE_ACTION] = "action", [FENCE_VERIFY] = "verify", [FENCE_UNDO] = "undo", [FENCE_IF] = "if", [FENCE_SHELL] = "shell", [FENCE_SHOWN] = "shown"};
	must((size_t)r < sizeof words / sizeof words[0]);
	return words[r];
}

const char *cause_mode_word(enum cause_mode m)
{
	return m == CAUSE_AUTOMATIC ? "automatic" : "ask";
}

const char *book_kind_word(enum book_kind k)
{
	return k == BOOK_PLAYBOOK ? "playbook" : "runbook";
}
