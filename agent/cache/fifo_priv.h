/* SPDX-License-Identifier: Apache-2.0 */
/* What both queues share: storage of events and keys, a list that is being taken in, first sync. */
#ifndef CACHE_FIFO_PRIV_H
#define CACHE_FIFO_PRIV_H

#include "kubemote/km_delta.h"

enum { FIFO_TOMBSTONE = 1, FIFO_BARE = 2, FIFO_INITIAL = 4 }; /* flags; bare: without an object */

struct fifo_event {
    enum km_delta_type type;
    struct km_slice key;
    const void *object;
    bool tombstone;
};

void fifo_reset(struct km_fifo *f, uint32_t seed);
/* The key's number + 1, 0 when no event names it. */
uint16_t fifo_find(const struct km_fifo *f, struct km_slice key);
int fifo_check_key(const struct km_fifo *f, struct km_slice key);
/* A node that holds a transformed copy of the event; not linked. *node is its number + 1.
   KM_ERR_FULL counts nothing. */
int fifo_make(struct km_fifo *f, const struct fifo_event *event, uint16_t *node);
/* A node that holds nothing but a text that no search finds. */
int fifo_make_text(struct km_fifo *f, enum km_delta_type type, struct km_slice text,
                   uint16_t *node);
/* Frees nodes linked by next, with their children. */
void fifo_free_chain(struct km_fifo *f, uint16_t node);
struct km_delta_node *fifo_node(const struct km_fifo *f, uint16_t node);
struct km_delta_key *fifo_key(const struct km_fifo *f, uint16_t key);
struct km_delta_key *fifo_key_of(const struct km_fifo *f, const struct km_delta_node *node);
const void *fifo_object(const struct km_fifo *f, uint16_t node);
/* Counts an event that found no room. KM_ERR_FULL. */
int fifo_refuse(struct km_fifo *f);
/* One reference less; the last one frees the key. */
void fifo_drop_key(struct km_fifo *f, uint16_t key);

void fifo_note_event(struct km_fifo *f); /* before each Added, Updated, Deleted */
void fifo_check_synced(struct km_fifo *f);

/* The list that is being taken in: nodes in a chain of their own, keys marked with the round. */
void fifo_stage_begin(struct km_fifo *f);
void fifo_stage_abort(struct km_fifo *f);
void fifo_stage_link(struct km_fifo *f, uint16_t node);
/* One object of the list. While there is no room, drop_head frees that of what waits longest; false when nothing does. */
int fifo_stage_item(struct km_fifo *f, struct km_slice key, const void *object,
                    bool (*drop_head)(void *queue), void *queue);
/* Hands the chain over. */
uint16_t fifo_stage_take(struct km_fifo *f);

/* Marks of a key in the present round. */
bool fifo_in_list(const struct km_fifo *f, const struct km_delta_key *key);
bool fifo_seen(const struct km_fifo *f, const struct km_delta_key *key);
void fifo_mark_seen(const struct km_fifo *f, struct km_delta_key *key);

#endif
