#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "book/attributes.h"

#include "base/buf.h"

#include <string.h>

static void reads(const char *text, const char *want, const char *error)
{
	struct arena *a = arena_new();
	struct attributes t;
	struct buf got;
	buf_init(&got, 4096);
	attributes_parse(a, text, strlen(text), &t);
	for (size_t i = 0; i < t.count; i++)
		buf_printf(&got, "%s%s%s%s;", t.items[i].name, t.items[i].value ? "=" : "", t.items[i].value ? t.items[i].value : "", "");
	assert_string_equal(got.data ? got.data : "", want);
	if (error)
		assert_non_null(t.error ? strstr(t.error, error) : NULL);
	else
		assert_null(t.error);
	buf_clear(&got);
	arena_free(a);
}

static void braces_hold_names_and_values(void **state)
{
	(void)state;
	reads("lua {id=x needs=a,b timeout=5m}", "id=x;needs=a,b;timeout=5m;", NULL);
	reads("lua {verify}", "verify;", NULL);
	reads("lua{id=x}", "id=x;", NULL);
	reads("lua {if=\"a > 1 and b == '}'\" x='y \"z\"'}", "if=a > 1 and b == '}';x=y \"z\";", NULL);
	reads("lua {a=\"q\\\"\\\\\"}", "a=q\"\\;", NULL);
	reads("sh { #look .wide a= }", "id=look;a=;", NULL);
	reads("bash", "", NULL);
	reads("", "", NULL);
}

static void a_json_object_is_read_too(void **state)
{
	(void)state;
	reads("sh {\"name\":\"x\",\"background\":true,\"n\":1}", "id=x;background=true;n=1;", NULL);
	reads("sh { \"name\": \"x\" } ", "id=x;", NULL);
	reads("sh {\"name\":", "", "JSON");
}

static void what_is_wrong_is_said_and_the_rest_kept(void **state)
{
	(void)state;
	reads("lua {id=a if=\"x", "id=a;", "quote");
	reads("lua {id=a", "id=a;", "brace");
	reads("lua {id=a =b}", "id=a;", "name");
	reads("lua {\"", "", "JSON");
	reads("lua {", "", "brace");
}

static void a_language_is_the_first_word(void **state)
{
	(void)state;
	struct arena *a = arena_new();
	assert_string_equal(attributes_language(a, "Lua{id=x}"), "lua");
	assert_string_equal(attributes_language(a, "bash title=x"), "bash");
	assert_string_equal(attributes_language(a, ""), "");
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(braces_hold_names_and_values),
	    cmocka_unit_test(a_json_object_is_read_too),
	    cmocka_unit_test(what_is_wrong_is_said_and_the_rest_kept),
	    cmocka_unit_test(a_language_is_the_first_word),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
