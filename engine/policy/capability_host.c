#include "policy/capability_parts.h"

#include <string.h>

/* Which patterns have the host of a request written out: what leads to addresses that strangers cannot reach must have been meant. */

enum { NUMBERS_WRITTEN = 2 };

static bool is_written_out(const struct glob *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->pieces[i].kind != PIECE_TEXT && g->pieces[i].kind != PIECE_CHOICE) return false;
	return !g->is_rest;
}

/* "10.1.*.*" for 10.1.2.3: a network that somebody wrote. */
static bool is_network_written_out(const struct glob *g, const char *host)
{
	bool is_address = strspn(host, "0123456789.") == strlen(host);
	const char *text = g->count && g->pieces[0].kind == PIECE_TEXT ? g->pieces[0].text : "";
	int dots = 0;
	for (; *text; text++) dots += *text == '.';
	return is_address && dots >= NUMBERS_WRITTEN;
}

bool capability_names_host(const struct capability *c, const struct capability_request *r, const json_t *params)
{
	const struct glob *host = c->parts[PART_HOST];
	if (!host || !capability_allows_request(c, r, params)) return false;
	return is_written_out(host) || is_network_written_out(host, r->parts[PART_HOST]);
}
