#ifndef RUNG_SANDBOX_MODULE_DOCS_H
#define RUNG_SANDBOX_MODULE_DOCS_H

/* What the comments of modules/NAME/NAME.lua say of each call, row by row in their order, put here by the build (tests/tools/embed_docs.sh has their form).
 * `rung help modules` and modules/README.md are made of it and of the rows of callables. */
struct module_doc {
	const char *module; /* NULL: the row behind the last */
	const char *tag;    /* module, call, text, param, option, return, needs, effect, limit, row, example */
	const char *name;   /* of a call, as it is written: disk.of(path, options); of a param or option */
	const char *type;   /* of a param or option; with ? at its end it may be left out */
	const char *fallback;
	const char *text;
};

extern const struct module_doc module_docs[];

#endif
