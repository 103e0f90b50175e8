#include "simulate.h"

uint64_t mix(uint64_t a, uint64_t b)
{
	uint64_t x = a ^ (b + UINT64_C(0x9e3779b97f4a7c15) + (a << 6) + (a >> 2));
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static struct saying end(const struct program *p, const struct running *r)
{
	uint64_t word = mix(p->seed, r->learned);
	bool fails = r->has_raised || word % 6 == 0;
	return (struct saying){.says = SAYS_END, .outcome = fails ? STEP_FAILED : word % 17 == 1 && !p->is_proof ? STEP_SKIPPED : STEP_SUCCEEDED};
}

static bool is_over(const struct program *p, const struct running *r)
{
	unsigned over = 0;
	for (unsigned b = 0; b < p->branches; b++) over += r->at[b] >= p->length[b];
	return r->has_raised || over == p->branches || (p->is_race && over);
}

struct saying program_speak(const struct program *p, struct running *r, uint32_t asked)
{
	static const enum step_effect effects[] = {EFFECT_ONCE, EFFECT_READ, EFFECT_IDEMPOTENT, EFFECT_KEYED, EFFECT_RECEIPT};
	if (is_over(p, r)) return end(p, r);
	for (unsigned b = 0; b < p->branches; b++) {
		if (r->at[b] >= p->length[b] || r->waits_for[b]) continue;
		r->waits_for[b] = asked + 1;
		uint64_t what = mix(mix(r->learned, b), r->at[b]);
		enum step_effect own = what % 4 == 0 ? effects[(what >> 8) % 5] : p->effect;
		bool is_question = !p->is_proof && (what >> 16) % 7 == 0, is_for_others = is_question && (what >> 24) % 3 == 0;
		return (struct saying){.says = SAYS_CALL,
		                       .asks = what,
		                       .effect = p->is_proof ? EFFECT_READ : own,
		                       .is_question = is_question,
		                       .code_needed = is_for_others ? 1 + (uint32_t)(what >> 32) % 2 : 0,
		                       .code_from = (unsigned)(what >> 40) % 3};
	}
	return (struct saying){.says = SAYS_IDLE};
}

void program_hear(const struct program *p, struct running *r, uint32_t place, uint64_t answer, bool is_failure)
{
	r->learned = mix(r->learned, mix(place, answer));
	r->errors += is_failure;
	if (r->errors > p->errors_max) r->has_raised = true;
	for (unsigned b = 0; b < p->branches; b++) {
		if (r->waits_for[b] != place) continue;
		r->waits_for[b] = 0;
		r->at[b]++;
		return;
	}
}
