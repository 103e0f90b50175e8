#ifndef RUNG_POLICY_POLICY_WORDS_H
#define RUNG_POLICY_POLICY_WORDS_H

/* What the files of a policy share, nobody else's. The words of a policy's file, in the order of the enums of policy.h; each list ends with NULL. */
extern const char *const policy_verb_words[];
extern const char *const policy_risk_words[]; /* the first is of no step */
extern const char *const policy_trigger_words[];
extern const char *const policy_outcome_words[];

/* For qsort and bsearch of names: in the order of their bytes. */
int policy_by_name(const void *a, const void *b);

#endif
