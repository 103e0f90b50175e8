#ifndef RUNG_POLICY_BOOK_HOSTS_H
#define RUNG_POLICY_BOOK_HOSTS_H

#include "book/lint.h"
#include "policy/inventory.h"

/* A book's parameters of type host and hosts, looked up in an inventory. source: DESIGN.md 3, 7 */

/* Has it one? */
bool book_has_hosts(const struct book *b);

/* Puts into bound parameters (book_bind) what they name: of a host its one spelling, of hosts the list of names that a query, or a list of names, stands for in
 * a whole inventory. asked gets the queries by the parameter's name, where they are more than the names that came of them. ERR_INVALID names the parameter,
 * what is not there, or that nothing matches; book and params are unchanged then. */
enum err book_hosts_bind(const struct book *b, const struct inventory *inv, json_t *params, json_t *asked, struct error *e);

/* What is odd about the hosts that a book names, in defaults of such parameters, in hosts("...") and in ssh("...") as far as the text of its Lua tells: a query
 * that cannot be read, a host or label that is not there, a query that matches nothing; the latter two only in a whole inventory. inv NULL: the file is wrong,
 * and nothing can be looked up. */
void book_hosts_lint(const struct book *b, const struct inventory *inv, struct lint_report *report);

#endif
