#include "sandbox/receipt.h"
#include "base/arena.h"
#include "base/json.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Below the home that the user database names: HOME in a command's environment says nothing. */
static enum err folder_of(const json_t *receipt, char **out, struct error *e)
{
	const char *folder = json_str(receipt, "folder", NULL);
	struct passwd *user = folder ? NULL : getpwuid(geteuid());
	if (!folder && (!user || user->pw_dir[0] != '/' || access(user->pw_dir, X_OK) != 0))
		return error_set(e, ERR_NOT_FOUND, "a receipt is kept below the home of the user that commands run as, and user id %d has none: give it one",
		                 (int)geteuid());
	*out = folder ? mem_strdup(folder) : mem_printf("%s/.local/state/rung/receipts", user->pw_dir);
	return ERR_OK;
}

enum err receipt_wrap(const json_t *receipt, const char *path, char ***argv, struct error *e)
{
	char *folder = NULL;
	enum err err = folder_of(receipt, &folder, e);
	if (err) return err;
	const char *front[] = {"sh",
	                       "-c",
	                       receipt_text,
	                       "rung-receipt",
	                       json_bool(receipt, "is_repeat", true) ? "again" : "first",
	                       folder,
	                       json_str(receipt, "execution", ""),
	                       json_str(receipt, "name", ""),
	                       path};
	size_t n = 0, before = sizeof front / sizeof *front;
	while ((*argv)[n]) n++;
	char **words = mem_zero((before + n) * sizeof *words);
	for (size_t i = 0; i < before; i++) words[i] = mem_strdup(front[i]);
	/* Without its first word, which the path stands for; with the NULL at the end. */
	memcpy(words + before, *argv + 1, n * sizeof *words);
	free((*argv)[0]);
	free(*argv);
	free(folder);
	*argv = words;
	return ERR_OK;
}
