/* SPDX-License-Identifier: GPL-3.0-or-later */
#ifndef LIB_BASE_LIST_H
#define LIB_BASE_LIST_H
/*
 * Doubly linked list, links inside the elements.  An element not in any
 * list has both links NULL; list_del() restores that.
 */
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/attr.h"

struct list {
	struct list *prev;
	struct list *next;
};

#define LIST_ENTRY(p, type, member) CONTAINER_OF(p, type, member)
/* The body may delete the current element. */
#define LIST_FOREACH(it, tmp, head)                                   \
	for ((it) = (head)->next, (tmp) = (it)->next; (it) != (head); \
	     (it) = (tmp), (tmp) = (it)->next)

void list_init(struct list *head);
bool list_empty(const struct list *head);
bool list_linked(const struct list *el);
void list_append(struct list *head, struct list *el);
void list_prepend(struct list *head, struct list *el);
void list_del(struct list *el);                   /* harmless when not linked */
struct list *list_first(const struct list *head); /* NULL when empty */
struct list *list_take(struct list *head);        /* first, unlinked, or NULL */
#endif
