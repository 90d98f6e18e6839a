/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an object's file holds, as the reader process tells it (reader/reader.h).
 *
 * Results: 0, a named outcome, or a negative errno; -EIO: the object is given up, which is noted.
 * An object whose descriptor was closed (fd -1) gives -ESTALE.
 */
#pragma once

#include "worker/answers.h"
#include "worker/ask_opener.h"

/*
 * The object of an open file (consumed). root_fd (consumed), path: see struct object. Returns as said, or an
 * object_outcome when it is no ELF file that could be mapped.
 */
int ask_object(struct workers *workers, struct object **ret, int fd, int root_fd,
	       const struct opened *opened, const char *path);
/* The same of the vdso of this very process; the kernel maps the same into every one. */
int ask_vdso(struct workers *workers, struct object **ret);
/*
 * As object_is_unchanged, also of a file that may block: it is asked about unless that was done
 * later than since_ns (CLOCK_MONOTONIC). Once it has changed, it has.
 */
bool ask_is_unchanged(struct workers *workers, struct object *object, uint64_t since_ns);
/* Asks about many such files at once: object_is_unchanged and object.state_ns are up to date then. */
void ask_about_changes(struct workers *workers, struct object *const *objects, uint32_t count);
/* Its unwind table. Returns as said, or ANSWER_NO_ROWS. Free with unwind_table_fini. */
int ask_table(struct workers *workers, struct unwind_table *ret, struct table_figures *figures,
	      struct object *object);

enum { ASK_MAX_ADDRESSES = 4096 };

/*
 * Names for addresses of one object, at most ASK_MAX_ADDRESSES: `name` is called for each in their
 * order with its lines, innermost first, at least one. What could not be found out has one line of
 * WIRE_NAME_NONE; so it is for all of them when the object is given up. Lines take longer: then only
 * the first *ret_answered of the addresses, at least one, have had their turn.
 * Returns 0, what `name` returned below 0, or -ENOMEM.
 */
int ask_names(struct workers *workers, struct object *object, const uint64_t *addresses,
	      uint32_t count, uint32_t *ret_answered, name_fn name, void *context);
/*
 * Puts what was found out about the object's lines into the symbol cache, for other recordings, if that is
 * worth it and there is a cache. Returns 0 or -ENOMEM.
 */
int ask_to_keep(struct workers *workers, struct object *object);
/* Free with needed_fini. */
int ask_needed(struct workers *workers, struct needed *ret, struct object *object);
/* Returns as said, or -EOPNOTSUPP: profd has no decoder for it. Free with allocator_fini. */
int ask_allocator(struct workers *workers, struct allocator *ret, struct object *object);
/*
 * ret[i]: what call_ends_at (elf/call_sites.h) says of addresses[i]. count: at most
 * ASK_MAX_ADDRESSES.
 */
int ask_calls(struct workers *workers, uint64_t *ret, struct object *object,
	      const uint64_t *addresses, uint32_t count);

/* Is it a name that may have a readable form? */
bool ask_may_demangle(const char *name);
enum { ASK_DEMANGLED_BYTES = 32 * 1024 };
/*
 * The readable forms of names: of `size` bytes, each with its NUL, together not more than
 * ASK_DEMANGLED_BYTES; appended in their order, each with its NUL, "" for a name that stays as it
 * is. payer: who has made them. Returns 0, -ENOMEM, or the worker_outcome (above 0) that says why the
 * reader cannot cope with them, as with an object that is given up.
 */
int ask_demangled(struct workers *workers, struct bytes *ret, const char *names, size_t size,
		  const struct payer *payer);
/* Its lines are to be looked for anew, in what it has got since (object.debug_parcel and its neighbour). */
void ask_lines_anew(struct workers *workers, struct object *object);
/* The object is needed no more, for now: its file is closed here and there. */
void ask_forget(struct workers *workers, struct object *object);
