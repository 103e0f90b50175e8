#include "escalation.h"
#include "incident.h"
#include "simulate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* simulate FIRST COUNT          worlds of the seeds FIRST..FIRST+COUNT-1
 * simulate FIRST seconds=N      as many as N seconds allow
 * simulate loud SEED            one, told line by line
 * simulate escalation ...       the same of escalations
 * simulate incident ...         the same of alerts and their incidents */

static double seconds_now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "escalation") == 0) return climb_main(argc - 2, argv + 2);
	if (argc > 1 && strcmp(argv[1], "incident") == 0) return alarm_main(argc - 2, argv + 2);
	if (argc != 3) {
		fprintf(stderr, "usage: simulate [escalation|incident] FIRST COUNT | ... FIRST seconds=N | ... loud SEED\n");
		return 2;
	}
	struct world *w = mem_zero(sizeof *w);
	bool is_loud = strcmp(argv[1], "loud") == 0, is_timed = strncmp(argv[2], "seconds=", 8) == 0;
	uint64_t first = strtoull(argv[is_loud ? 2 : 1], NULL, 10),
	         count = is_timed  ? UINT64_MAX
	                 : is_loud ? 1
	                           : strtoull(argv[2], NULL, 10),
	         done = 0, moves = 0;
	double until = seconds_now() + (is_timed ? strtod(argv[2] + 8, NULL) : 0);
	for (; done < count && (!is_timed || seconds_now() < until); done++) {
		world_run(w, first + done, is_loud);
		moves += w->moves;
	}
	const struct tally *t = &w->tally;
	printf("# %llu seeds from %llu, %llu moves: %llu crashes, %llu take-overs, %llu writes refused, %llu actors and %llu workers lost\n",
	       (unsigned long long)done, (unsigned long long)first, (unsigned long long)moves, (unsigned long long)t->crashes, (unsigned long long)t->takeovers,
	       (unsigned long long)t->refused, (unsigned long long)t->actors, (unsigned long long)t->workers);
	printf("# %llu effects, %llu unknown, %llu made again, %llu proofs, %llu attempts run again over answers, %llu diverged, %llu timed out\n",
	       (unsigned long long)t->landed, (unsigned long long)t->unknown, (unsigned long long)t->again, (unsigned long long)t->proofs,
	       (unsigned long long)t->replayed, (unsigned long long)t->diverged, (unsigned long long)t->timeouts);
	printf("# %llu agreed, %llu may not, %llu withdrawn, %llu leases taken by another first, %llu timers\n", (unsigned long long)t->agreed,
	       (unsigned long long)t->not_agreed, (unsigned long long)t->withdrawn, (unsigned long long)t->claims_refused, (unsigned long long)t->timers);
	people_free();
	for (size_t i = 0; i < ENGINES_MAX; i++) free(w->engines[i]);
	free(w);
	return 0;
}
