// SPDX-License-Identifier: Apache-2.0
/*
 * Instructions of columns that a walk does not need are read and forgotten: only the CFA and those of
 * enum cfi_column are followed. Every operand is read within its entry; locations
 * only ever go forward.
 */
#include "elf/cfi_program.h"

#include <dwarf.h>
#include <errno.h>

enum {
	/* Compilers nest remember_state once; the limit bounds what a hostile file makes us keep. */
	MAX_REMEMBERED = 16,
	LOW_OPERAND = 0x3f,
};

struct machine {
	const struct cfi_section *section;
	const struct cfi_cie *cie;
	const struct cfi_state *initial; /* NULL while the CIE itself runs */
	struct reader reader;
	struct cfi_state state;
	uint64_t location;
	struct cfi_state remembered[MAX_REMEMBERED];
	unsigned remembered_count;
};

int cfi_pointer_read(uint64_t *ret, struct reader *reader, uint8_t encoding,
		     const struct cfi_section *section)
{
	uint64_t base = 0, value, at = section->address + (uint64_t)(reader->at - section->data);

	switch (encoding & 0x70) {
	case DW_EH_PE_absptr:
		break;
	case DW_EH_PE_pcrel:
		base = at;
		break;
	case DW_EH_PE_textrel:
		base = section->text;
		break;
	case DW_EH_PE_datarel:
		base = section->got;
		break;
	default:
		return -EBADMSG;
	}
	/* The value behind an indirect pointer is known once the program is loaded, not before. */
	if (encoding & DW_EH_PE_indirect || (encoding & 0x70 && base == 0))
		return -EBADMSG;
	switch (encoding & 0x0f) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_signed:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		value = reader_u64(reader);
		break;
	case DW_EH_PE_uleb128:
		value = reader_uleb(reader);
		break;
	case DW_EH_PE_sleb128:
		value = (uint64_t)reader_sleb(reader);
		break;
	case DW_EH_PE_udata2:
		value = reader_u16(reader);
		break;
	case DW_EH_PE_sdata2:
		value = (uint64_t)(int16_t)reader_u16(reader);
		break;
	case DW_EH_PE_udata4:
		value = reader_u32(reader);
		break;
	case DW_EH_PE_sdata4:
		value = (uint64_t)(int32_t)reader_u32(reader);
		break;
	default:
		return -EBADMSG;
	}
	if (reader->overrun)
		return -EBADMSG;
	*ret = base + value;
	return 0;
}

/* The column of a register, CFI_COLUMNS for one that nobody asks for. */
static enum cfi_column column_of(const struct cfi_machine *machine, uint64_t number)
{
	if (number == machine->frame_pointer)
		return COLUMN_FRAME_POINTER;
	if (number == machine->base)
		return COLUMN_BASE;
	return number == machine->return_address ? COLUMN_RETURN_ADDRESS : CFI_COLUMNS;
}

static void set_column(struct machine *m, uint64_t number, struct cfi_register saved)
{
	enum cfi_column column = column_of(m->cie->machine, number);

	if (column < CFI_COLUMNS)
		m->state.columns[column] = saved;
}

static int restore_column(struct machine *m, uint64_t number)
{
	enum cfi_column column = column_of(m->cie->machine, number);

	if (!m->initial)
		return -EBADMSG;
	if (column < CFI_COLUMNS)
		m->state.columns[column] = m->initial->columns[column];
	return 0;
}

static struct cfi_expression read_expression(struct machine *m)
{
	uint64_t size = reader_uleb(&m->reader);
	const uint8_t *at = reader_take(&m->reader, size);

	return (struct cfi_expression){ at, at ? size : 0 };
}

/* Factored offsets wrap around as unsigned numbers do; what is absurd ends as no rule. */
static int64_t scaled(const struct machine *m, uint64_t factored)
{
	return (int64_t)(factored * (uint64_t)m->cie->data_align);
}

static void set_offset(struct machine *m, uint64_t number, uint64_t factored)
{
	set_column(m, number, (struct cfi_register){ SAVED_OFFSET, scaled(m, factored) });
}

static void set_how(struct machine *m, enum cfi_saved how)
{
	set_column(m, reader_uleb(&m->reader), (struct cfi_register){ how });
}

static void define_cfa(struct machine *m, uint64_t number, int64_t offset)
{
	m->state.cfa = CFA_OFFSET;
	m->state.number = number;
	m->state.offset = offset;
}

static int remember(struct machine *m)
{
	if (m->remembered_count == MAX_REMEMBERED)
		return -EBADMSG;
	m->remembered[m->remembered_count++] = m->state;
	return 0;
}

static int recall(struct machine *m)
{
	if (m->remembered_count == 0)
		return -EBADMSG;
	m->state = m->remembered[--m->remembered_count];
	return 0;
}

/* An instruction that does not advance the location. Returns 0 or -EBADMSG. */
static int execute(struct machine *m, uint8_t opcode)
{
	struct reader *reader = &m->reader;
	uint64_t number;

	switch (opcode) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_def_cfa:
		number = reader_uleb(reader);
		define_cfa(m, number, (int64_t)reader_uleb(reader));
		return 0;
	case DW_CFA_def_cfa_sf:
		number = reader_uleb(reader);
		define_cfa(m, number, scaled(m, (uint64_t)reader_sleb(reader)));
		return 0;
	case DW_CFA_def_cfa_register:
		m->state.number = reader_uleb(reader);
		return m->state.cfa == CFA_OFFSET ? 0 : -EBADMSG;
	case DW_CFA_def_cfa_offset:
		m->state.offset = (int64_t)reader_uleb(reader);
		return m->state.cfa == CFA_OFFSET ? 0 : -EBADMSG;
	case DW_CFA_def_cfa_offset_sf:
		m->state.offset = scaled(m, (uint64_t)reader_sleb(reader));
		return m->state.cfa == CFA_OFFSET ? 0 : -EBADMSG;
	case DW_CFA_def_cfa_expression:
		m->state.cfa = CFA_EXPRESSION;
		m->state.expression = read_expression(m);
		return 0;
	case DW_CFA_offset_extended:
		number = reader_uleb(reader);
		set_offset(m, number, reader_uleb(reader));
		return 0;
	case DW_CFA_offset_extended_sf:
		number = reader_uleb(reader);
		set_offset(m, number, (uint64_t)reader_sleb(reader));
		return 0;
	case DW_CFA_GNU_negative_offset_extended:
		number = reader_uleb(reader);
		set_offset(m, number, -reader_uleb(reader));
		return 0;
	case DW_CFA_restore_extended:
		return restore_column(m, reader_uleb(reader));
	case DW_CFA_undefined:
		set_how(m, SAVED_UNDEFINED);
		return 0;
	case DW_CFA_same_value:
		set_how(m, SAVED_SAME);
		return 0;
	case DW_CFA_expression:
		number = reader_uleb(reader);
		set_column(m, number,
			   (struct cfi_register){ SAVED_EXPRESSION, 0, read_expression(m) });
		return 0;
	case DW_CFA_val_expression:
		set_how(m, SAVED_OTHER);
		read_expression(m);
		return 0;
	case DW_CFA_register:
		number = reader_uleb(reader);
		set_column(m, number,
			   (struct cfi_register){ SAVED_REGISTER, (int64_t)reader_uleb(reader) });
		return 0;
	case DW_CFA_val_offset:
		set_how(m, SAVED_OTHER);
		reader_uleb(reader);
		return 0;
	case DW_CFA_val_offset_sf:
		set_how(m, SAVED_OTHER);
		reader_sleb(reader);
		return 0;
	case DW_CFA_remember_state:
		return remember(m);
	case DW_CFA_restore_state:
		return recall(m);
	case DW_CFA_GNU_args_size: /* for exception landing pads only */
		reader_uleb(reader);
		return 0;
	case DW_CFA_GNU_window_save: /* SPARC's, and another machine's on others */
		return 0;
	default:
		return -EBADMSG;
	}
}

/*
 * Runs to the next instruction that moves the location and puts the new one into *ret.
 * Returns 1 then, 0 at the end of the program, or -EBADMSG.
 */
static int run_to_advance(struct machine *m, uint64_t *ret)
{
	struct reader *reader = &m->reader;

	while (reader_left(reader) > 0) {
		uint8_t opcode = reader_u8(reader);
		uint64_t delta = 0;
		int r = 0;

		switch (opcode & ~LOW_OPERAND) {
		case DW_CFA_advance_loc:
			delta = opcode & LOW_OPERAND;
			break;
		case DW_CFA_offset:
			set_offset(m, opcode & LOW_OPERAND, reader_uleb(reader));
			goto next;
		case DW_CFA_restore:
			r = restore_column(m, opcode & LOW_OPERAND);
			goto next;
		default:
			switch (opcode) {
			case DW_CFA_set_loc:
				r = cfi_pointer_read(ret, reader, m->cie->pointer_encoding,
						     m->section);
				return r < 0 ? r : 1;
			case DW_CFA_advance_loc1:
				delta = reader_u8(reader);
				break;
			case DW_CFA_advance_loc2:
				delta = reader_u16(reader);
				break;
			case DW_CFA_advance_loc4:
				delta = reader_u32(reader);
				break;
			case DW_CFA_MIPS_advance_loc8:
				delta = reader_u64(reader);
				break;
			default:
				r = execute(m, opcode);
				goto next;
			}
		}
		if (reader->overrun || __builtin_mul_overflow(delta, m->cie->code_align, &delta) ||
		    __builtin_add_overflow(delta, m->location, ret))
			return -EBADMSG;
		return 1;
	next:
		if (r < 0 || reader->overrun)
			return -EBADMSG;
	}
	return 0;
}

int cfi_program_begin(const struct cfi_section *section, struct cfi_cie *cie, struct reader program)
{
	struct machine m = { .section = section, .cie = cie, .reader = program };
	uint64_t location;

	/* A CIE has no location to advance. */
	if (run_to_advance(&m, &location) != 0)
		return -EBADMSG;
	cie->initial = m.state;
	return 0;
}

int cfi_program_run(const struct cfi_section *section, const struct cfi_cie *cie,
		    struct reader program, uint64_t start, uint64_t end, cfi_row_fn row,
		    void *context)
{
	struct machine m;
	int advanced;

	/* Not an initialiser: the remembered states, most of the struct, need no clearing. */
	m.section = section;
	m.cie = cie;
	m.initial = &cie->initial;
	m.reader = program;
	m.state = cie->initial;
	m.location = start;
	m.remembered_count = 0;
	do {
		uint64_t next = end;
		int r;

		advanced = run_to_advance(&m, &next);
		if (advanced < 0)
			return advanced;
		if (next < m.location)
			return -EBADMSG;
		/* Compilers' entries may describe a return past their end; it has no addresses. */
		if (next >= end) {
			next = end;
			advanced = 0;
		}
		if (next > m.location) {
			r = row(context, cie, &m.state, m.location, next);
			if (r < 0)
				return r;
		}
		m.location = next;
	} while (advanced);
	return 0;
}
