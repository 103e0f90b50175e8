#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "book/words.h"

#include <string.h>

static void headings_mean_what_a_person_reads(void **state)
{
	static const struct {
		const char *title;
		enum section_role role;
		enum book_phase phase;
	} cases[] = {
	    {"Diagnosis", ROLE_ACTION, PHASE_DIAGNOSIS},
	    {"MITIGATION:", ROLE_ACTION, PHASE_MITIGATION},
	    {"**Resolution steps**", ROLE_ACTION, PHASE_MITIGATION},
	    {"Part 2: Contain the Incident", ROLE_ACTION, PHASE_MITIGATION},
	    {"How to verify", ROLE_ACTION, PHASE_STEPS},
	    {"Verification", ROLE_ACTION, PHASE_VERIFICATION},
	    {"Roll back the release", ROLE_ACTION, PHASE_ROLLBACK},
	    {"Steps", ROLE_ACTION, PHASE_STEPS},
	    {"Restarting the proxy", ROLE_ACTION, PHASE_STEPS},
	    {"Remove any test clusters", ROLE_ACTION, PHASE_STEPS},
	    {"Perform verification", ROLE_ACTION, PHASE_VERIFICATION},
	    {"排查步骤", ROLE_ACTION, PHASE_DIAGNOSIS},
	    {"回滚", ROLE_ACTION, PHASE_ROLLBACK},
	    {"Meaning", ROLE_NOT_STEPS, PHASE_STEPS},
	    {"Impact", ROLE_NOT_STEPS, PHASE_STEPS},
	    {"1. Overview", ROLE_NOT_STEPS, PHASE_STEPS},
	    {"What is graceful shutdown", ROLE_NOT_STEPS, PHASE_STEPS},
	    {"Additional Resources", ROLE_NOT_STEPS, PHASE_STEPS},
	    {"背景", ROLE_NOT_STEPS, PHASE_STEPS},
	    {"Runbook Info", ROLE_INFO, PHASE_STEPS},
	    {"Parameters", ROLE_PARAMETERS, PHASE_STEPS},
	    {"Permissions", ROLE_PERMISSIONS, PHASE_STEPS},
	    {"Root Causes", ROLE_CAUSES, PHASE_STEPS},
	    {"Alert rule sample", ROLE_NEUTRAL, PHASE_STEPS},
	    {"The mail server", ROLE_NEUTRAL, PHASE_STEPS},
	    {"", ROLE_NEUTRAL, PHASE_STEPS},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct heading_meaning m = words_of_heading(cases[i].title);
		if (m.role != cases[i].role || (m.role == ROLE_ACTION && m.phase != cases[i].phase))
			fail_msg("\"%s\" has role %d, phase %s", cases[i].title, (int)m.role, phase_word(m.phase));
	}
}

static void numbering_is_told_from_numbers(void **state)
{
	static const struct {
		const char *title, *rest;
		bool is_step;
	} cases[] = {
	    {"Step 1: Freeze", "Freeze", true},
	    {"STEP 2 - Copy", "Copy", true},
	    {"Step one: Go", "Go", true},
	    {"Step A. Go", "Go", true},
	    {"1. Freeze", "Freeze", true},
	    {"1) Freeze", "Freeze", true},
	    {"2.1 Dump", "Dump", true},
	    {"10.2.3. Dump", "Dump", true},
	    {"Part 3 — Contain", "Contain", false},
	    {"Phase IV: Land", "Land", false},
	    {"第一步：回滚", "回滚", true},
	    {"步骤2：恢复", "恢复", true},
	    {"502 errors", "502 errors", false},
	    {"2023-09-18 Lack of space", "2023-09-18 Lack of space", false},
	    {"3 ways to fail", "3 ways to fail", false},
	    {"Steps", "Steps", false},
	    {"Step-by-step", "Step-by-step", false},
	    {"1", "1", false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool is_step;
		size_t n = words_numbering(cases[i].title, &is_step);
		if (strcmp(cases[i].title + n, cases[i].rest) != 0 || is_step != cases[i].is_step)
			fail_msg("\"%s\": rest \"%s\", step %d", cases[i].title, cases[i].title + n, is_step);
	}
}

static void instructions_are_told_from_facts(void **state)
{
	static const char *const yes[] = {"Check the pods", "If the node is down, drain it", "Short term: Restart it", "`run` it",
	                                  "检查服务",       "To undo this, restart"};
	static const char *const no[] = {"networking errors", "The API server", "A change was merged", "Apdex", ""};
	(void)state;
	for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
		if (!words_is_imperative(yes[i])) fail_msg("%s", yes[i]);
	for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
		if (words_is_imperative(no[i])) fail_msg("%s", no[i]);
	assert_true(words_is_placeholder("TODO."));
	assert_true(words_is_placeholder("[[_TOC_]]"));
	assert_false(words_is_placeholder("Do it"));
	assert_true(words_is_escalation("If you cannot resolve the issue, call"));
	assert_true(words_is_about_output("You should see:"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(headings_mean_what_a_person_reads),
	    cmocka_unit_test(numbering_is_told_from_numbers),
	    cmocka_unit_test(instructions_are_told_from_facts),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
