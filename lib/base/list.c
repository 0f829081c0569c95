/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "lib/base/list.h"

void
list_init(struct list *head)
{
	head->prev = head;
	head->next = head;
}

bool
list_empty(const struct list *head)
{
	return head->next == head;
}

bool
list_linked(const struct list *el)
{
	return el->next != NULL;
}

static void
insert(struct list *prev, struct list *el, struct list *next)
{
	ASSERT(el->next == NULL && el->prev == NULL);
	el->prev = prev;
	el->next = next;
	prev->next = el;
	next->prev = el;
}

void
list_append(struct list *head, struct list *el)
{
	insert(head->prev, el, head);
}

void
list_prepend(struct list *head, struct list *el)
{
	insert(head, el, head->next);
}

void
list_del(struct list *el)
{
	if (!list_linked(el))
		return;
	el->prev->next = el->next;
	el->next->prev = el->prev;
	el->prev = NULL;
	el->next = NULL;
}

struct list *
list_first(const struct list *head)
{
	return list_empty(head) ? NULL : head->next;
}

struct list *
list_take(struct list *head)
{
	struct list *el = list_first(head);

	if (el != NULL)
		list_del(el);
	return el;
}
