#include "cli/inventory_use.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/yaml.h"
#include "cli/client.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define INVENTORY_PATH ".rung/inventory.yaml"

enum err inventory_use_file(struct arena *a, const char *root, const struct inventory **out, struct error *e)
{
	struct buf b;
	const char *path = root ? arena_printf(a, "%s/" INVENTORY_PATH, root) : NULL;
	if (!path || !fs_exists(path)) {
		*out = inventory_none(a);
		return ERR_OK;
	}
	buf_init(&b, YAML_BYTES_MAX + 1);
	enum err err = fs_read(path, &b, e);
	if (!err) err = inventory_read(a, INVENTORY_PATH, b.data ? b.data : "", b.len, NULL, 0, out, e);
	buf_clear(&b);
	return err;
}

/* Page by page: a hundred thousand hosts are more than one frame. */
static enum err ask_engine(struct arena *a, struct client *c, const char *root, const struct inventory **out, struct error *e)
{
	json_t *hosts = json_array(), *groups = json_array();
	enum err err = ERR_OK;
	for (json_int_t from = 0, of = 0; from >= 0 && !err;) {
		struct answer answer = {0};
		err = client_request(c, "hosts", json_pack("{s:s,s:I,s:I}", "workspace", root, "from", from, "of", of), &answer, e);
		if (err) break;
		if (json_arr(answer.value, "hosts")) json_array_extend(hosts, json_arr(answer.value, "hosts"));
		if (json_arr(answer.value, "groups")) json_array_extend(groups, json_arr(answer.value, "groups"));
		of = json_int(answer.value, "of", 0);
		json_int_t next = json_int(answer.value, "next", -1);
		from = next > from ? next : -1;
		answer_clear(&answer);
	}
	if (!err) err = inventory_from_json(a, hosts, groups, out, e);
	json_decref(hosts);
	json_decref(groups);
	return err;
}

enum err inventory_use_whole(struct arena *a, const struct workspace *w, const struct inventory **out, struct error *e)
{
	struct client *c = NULL;
	enum err err = inventory_use_file(a, w->root, out, e);
	if (err || (*out)->is_whole) return err;
	err = client_open(w->state_dir, &c, e);
	if (!err) err = ask_engine(a, c, w->root, out, e);
	client_close(c);
	return err;
}

const char *inventory_use_root_of(struct arena *a, const char *book)
{
	char whole[PATH_MAX];
	char *folder = realpath(book, whole) ? fs_dirname(whole) : NULL;
	const char *root = NULL;
	while (folder && !root) {
		bool is_top = strcmp(folder, "/") == 0;
		const char *mark = arena_printf(a, "%s/.rung", is_top ? "" : folder);
		if (fs_is_dir(mark)) root = arena_strdup(a, folder);
		char *up = is_top ? NULL : fs_dirname(folder);
		free(folder);
		folder = up;
	}
	free(folder);
	return root;
}
