#include "modules/http/http_vault.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

enum { ANSWER_DEPTH_MAX = 16 };

/* Overwrites every text in it. */
static void wipe(json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;
	json_object_foreach(v, key, item) wipe(item);
	json_array_foreach(v, i, item) wipe(item);
	if (json_is_string(v)) json_wipe(v);
}

static enum err add_value(const json_t *v, const char *field, struct buf *out, struct error *e)
{
	if (json_is_string(v))
		return buf_add(out, json_string_value(v), json_string_length(v)) ? ERR_OK : error_set(e, ERR_TOO_BIG, "it is longer than a secret can be");
	if (!json_is_number(v) && !json_is_boolean(v)) return error_set(e, ERR_PROTOCOL, "its field %s is no text: a secret is one text", field);
	char *text = json_dumps(v, JSON_ENCODE_ANY);
	bool ok = buf_str(out, text);
	explicit_bzero(text, strlen(text));
	free(text);
	return ok ? ERR_OK : error_set(e, ERR_TOO_BIG, "it is longer than a secret can be");
}

enum err vault_field(const char *body, size_t n, const char *field, struct buf *out, struct error *e)
{
	json_t *top = json_parse(body, n, ANSWER_DEPTH_MAX, NULL), *data = json_obj(top, "data");
	enum err err = ERR_OK;
	if (json_obj(data, "data") && json_obj(data, "metadata")) data = json_obj(data, "data");
	const json_t *v = json_object_get(data, field);
	if (!data)
		err = error_set(e, ERR_PROTOCOL, "what the server answers is nothing of Vault: are address and path right?");
	else if (!v)
		err =
		    error_set(e, ERR_NOT_FOUND, "there is no field %s at that path%s", field, json_object_get(data, "keys") ? " (it is a list of paths)" : "");
	else
		err = add_value(v, field, out, e);
	wipe(top);
	json_decref(top);
	return err;
}

enum err vault_refusal(int status, struct error *e)
{
	switch (status) {
	case 400:
		return error_set(e, ERR_INVALID, "Vault takes no such path (status 400): it is what follows /v1/, as secret/data/db-admin");
	case 403:
		return error_set(e, ERR_DENIED, "Vault does not let its token read that path (status 403): is the token valid, and may its policies read it?");
	case 404:
		return error_set(e, ERR_NOT_FOUND,
		                 "Vault has nothing at that path (status 404): with version 2 of the key-value engine it has data/ behind the mount, as "
		                 "secret/data/db-admin");
	case 503:
		return error_set(e, ERR_FAILED, "Vault is sealed or in maintenance (status 503)");
	default:
		return error_set(e, ERR_FAILED, "Vault answers with status %d", status);
	}
}
