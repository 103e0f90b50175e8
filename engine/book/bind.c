#include "book/book.h"

#include <math.h>
#include <string.h>

/* Given values against the declared parameters. */

/* A JSON value that is no string, as it came from a caller with types of its own. */
static json_t *typed(const struct book_param *p, json_t *v, struct error *why)
{
	bool is_whole = json_is_real(v) && floor(json_real_value(v)) == json_real_value(v) && fabs(json_real_value(v)) < 9007199254740992.0;
	char text[64];
	switch (p->type) {
	case PARAM_INT:
		if (!json_is_integer(v) && !is_whole) break;
		snprintf(text, sizeof text, "%lld", json_is_integer(v) ? (long long)json_integer_value(v) : (long long)json_real_value(v));
		return book_param_read(p, text, why);
	case PARAM_NUMBER:
		if (!json_is_number(v)) break;
		snprintf(text, sizeof text, "%.17g", json_number_value(v));
		return book_param_read(p, text, why);
	case PARAM_BOOL:
		return json_is_boolean(v) ? json_incref(v) : book_param_read(p, "?", why);
	case PARAM_LIST:
	case PARAM_HOSTS:
		if (json_is_array(v) && json_depth(v) <= 16) return json_incref(v);
		break;
	case PARAM_MAP:
		if (json_is_object(v) && json_depth(v) <= 16) return json_incref(v);
		break;
	default:
		break;
	}
	error_set(why, ERR_INVALID, "a value of type %s was expected", param_type_word(p->type));
	return NULL;
}

static void complain(struct buf *all, const char *name, const char *why)
{
	buf_printf(all, "%s%s: %s", all->len ? "; " : "", name, why);
}

static void bind_one(const struct book_param *p, json_t *v, json_t *out, struct buf *wrong)
{
	struct error why = {.text = ""};
	json_t *value = NULL;
	if (!v || json_is_null(v)) {
		if (p->is_required || !p->default_text) {
			complain(wrong, p->name, p->description ? p->description : "a value is needed");
			return;
		}
		value = book_param_read(p, p->default_text, &why);
	} else {
		value = json_is_string(v) ? book_param_read(p, json_string_value(v), &why) : typed(p, v, &why);
	}
	if (value)
		json_object_set_new(out, p->name, value);
	else
		complain(wrong, p->name, why.text);
}

enum err book_bind(const struct book *b, const json_t *given, json_t **out, struct error *e)
{
	struct buf wrong;
	json_t *bound = json_object();
	buf_init(&wrong, 900);
	for (size_t i = 0; i < b->param_count; i++) bind_one(&b->params[i], json_object_get(given, b->params[i].name), bound, &wrong);
	const char *name;
	json_t *v;
	json_object_foreach((json_t *)given, name, v)
	{
		if (!book_param_get(b, name)) complain(&wrong, name, "the book has no such parameter");
	}
	enum err err = ERR_OK;
	if (wrong.len || wrong.is_full) {
		err = error_set(e, ERR_INVALID, "%s: parameters are missing or not valid: %s%s", b->path, wrong.data ? wrong.data : "",
		                wrong.is_full ? "; and more" : "");
		json_decref(bound);
	} else {
		*out = bound;
	}
	buf_clear(&wrong);
	return err;
}

void book_take_secrets(const struct book *b, json_t *bound, json_t *values)
{
	char name[512];
	for (size_t i = 0; i < b->param_count; i++) {
		const struct book_param *p = &b->params[i];
		json_t *value = json_object_get(bound, p->name);
		if (p->type != PARAM_SECRET || !json_is_string(value)) continue;
		snprintf(name, sizeof name, "param:%.500s", p->name);
		json_object_set(values, p->name, value);
		json_object_set_new(bound, p->name, json_pack("{s:s}", "secret", name));
	}
}
