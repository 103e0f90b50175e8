#include "base/text.h"
#include "policy/policy.h"
#include "policy/star.h"

#include <string.h>

/* Which books a rule speaks of: globs on paths beneath the workspace. */

/* ---- what a glob may be ---- */

/* Has the text a name that is empty, "." or ".."? No book's path has. */
static bool has_odd_name(const char *text)
{
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, "/#");
		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.')) return true;
		p += n;
		if (*p != '/') return false;
	}
}

static bool has_hidden(const char *text)
{
	uint32_t code;
	for (const char *p = text, *end = text + strlen(text); p < end;) {
		size_t step = text_decode(p, end, &code);
		if (!step || text_is_hidden(code)) return true;
		p += step;
	}
	return false;
}

/* ** that is not a whole name, or stands in an anchor. */
static bool has_stray_stars(const char *text)
{
	const char *anchor = strchr(text, '#');
	for (const char *star = text; (star = strstr(star, "**")); star += 2)
		if ((star > text && star[-1] != '/') || (star[2] && star[2] != '/' && star[2] != '#') || (anchor && star > anchor)) return true;
	return false;
}

const char *policy_book_fault(const char *glob)
{
	const char *anchor = strchr(glob, '#');
	if (glob[0] == '!' || strpbrk(glob, "?[]{}\\") || has_hidden(glob)) return "books are named with * and ** alone, no other character stands for others";
	if (has_odd_name(glob)) return "a book is named from the workspace's folder, as in runbooks/web/**";
	if (has_stray_stars(glob)) return "** stands for whole folders, between slashes";
	if (anchor && (!anchor[1] || strchr(anchor + 1, '#'))) return "one book of a page is PAGE#ANCHOR";
	if (strncmp(glob, "external/", 9) == 0) return "of a book outside of the workspace ** alone speaks";
	return NULL;
}

/* ---- whether it matches ---- */

static size_t name_length(const char *p, const char *end)
{
	const char *slash = memchr(p, '/', (size_t)(end - p));
	return slash ? (size_t)(slash - p) : (size_t)(end - p);
}

/* The next name, or NULL at the end. */
static const char *after_name(const char *p, const char *end)
{
	p += name_length(p, end);
	return p < end ? p + 1 : NULL;
}

static bool is_all_names(const char *p, size_t n)
{
	return n == 2 && p[0] == '*' && p[1] == '*';
}

/* The same over whole names: ** takes as few of them as it can. */
static bool path_matches(const char *glob, const char *glob_end, const char *path, const char *path_end)
{
	const char *g = glob, *p = path, *star = NULL, *taken = NULL;
	while (p) {
		size_t n = g ? name_length(g, glob_end) : 0;
		if (g && is_all_names(g, n)) {
			star = g, taken = p;
			g = after_name(g, glob_end);
		} else if (g && star_matches(g, n, p, name_length(p, path_end), 0)) {
			g = after_name(g, glob_end), p = after_name(p, path_end);
		} else if (star) {
			g = after_name(star, glob_end);
			taken = p = after_name(taken, path_end);
		} else {
			return false;
		}
	}
	while (g && is_all_names(g, name_length(g, glob_end))) g = after_name(g, glob_end);
	return !g;
}

/* Do they differ before the first star? That is so of most rules, and cheap to see. A slash says nothing yet: two stars behind it may be no folder. */
static bool begins_otherwise(const char *glob, const char *book)
{
	size_t i = 0;
	while (glob[i] == book[i] && glob[i] && glob[i] != '*') i++;
	char differs = glob[i];
	return differs && differs != book[i] && differs != '*' && differs != '/' && differs != '#';
}

bool policy_book_matches(const char *glob, const char *book)
{
	if (begins_otherwise(glob, book)) return false;
	const char *glob_end = strchr(glob, '#'), *book_end = strchr(book, '#');
	const char *glob_anchor = glob_end, *book_anchor = book_end;
	if (!glob_end) glob_end = glob + strlen(glob);
	if (!book_end) book_end = book + strlen(book);
	bool is_everything = is_all_names(glob, (size_t)(glob_end - glob));
	if (strncmp(book, "external/", 9) == 0 && (!is_everything || glob_anchor)) return false;
	if (!is_everything && !path_matches(glob, glob_end, book, book_end)) return false;
	if (!glob_anchor) return true;
	return book_anchor && star_matches(glob_anchor + 1, strlen(glob_anchor + 1), book_anchor + 1, strlen(book_anchor + 1), 0);
}
