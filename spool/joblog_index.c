/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/joblog_index.h"

#include "lib/base/buf.h"
#include "lib/base/crypt.h"
#include "lib/base/mem.h"
#include "spool/joblog.h"

enum {
	COUNT_SIZE = 4
};
#define SKIPPABLE UINT32_C(0x184D2A50)

static const char magic[] = "RMLOGIX1";

_Static_assert(COUNT_SIZE + 4 + sizeof(magic) - 1 == JOBLOG_INDEX_TAIL, "tail");

static void
put_le32(struct buf *out, uint32_t v)
{
	size_t i;

	for (i = 0; i < sizeof(v); i++)
		buf_put_u8(out, (uint8_t)(v >> (8 * i)));
}

static uint32_t
rd_le32(struct rd *r)
{
	uint32_t v = 0;
	size_t i;

	for (i = 0; i < sizeof(v); i++)
		v |= (uint32_t)rd_u8(r) << (8 * i);
	return v;
}

void
joblog_index_row(struct buf *rows, const struct joblog_frame *frame)
{
	buf_put_u32(rows, frame->packed);
	buf_put_u32(rows, frame->bytes);
	buf_put_u32(rows, frame->lines);
}

void
joblog_index_put(struct buf *out, struct str rows)
{
	const size_t at = out->len + JOBLOG_INDEX_HEAD;

	put_le32(out, SKIPPABLE);
	put_le32(out, (uint32_t)rows.n + JOBLOG_INDEX_TAIL);
	buf_put_str(out, rows);
	buf_put_u32(out, (uint32_t)(rows.n / JOBLOG_INDEX_ROW));
	buf_put_u32(out, crypt_crc32c(0, str_sub(buf_str(out), at, out->len)));
	buf_puts(out, magic);
}

enum rc
joblog_index_size(struct str tail, size_t *size)
{
	uint32_t n;
	struct rd r;

	rd_init(&r, tail);
	n = rd_u32(&r);
	(void)rd_u32(&r);
	if (!str_eqz(rd_bytes(&r, sizeof(magic) - 1), magic) ||
	    rd_end(&r) != RC_OK || n > JOBLOG_INDEX_ROWS)
		return RC_CORRUPT;
	*size = JOBLOG_INDEX_HEAD + (size_t)n * JOBLOG_INDEX_ROW +
	        JOBLOG_INDEX_TAIL;
	return RC_OK;
}

/* The frame's own header and the checksum; *rows is then what is between. */
static bool
check(struct str index, struct str *rows)
{
	const size_t crc_at = index.n - JOBLOG_INDEX_TAIL + COUNT_SIZE;
	struct str sum =
	    str_sub(index, JOBLOG_INDEX_HEAD, crc_at - JOBLOG_INDEX_HEAD);
	struct rd head, crc;

	rd_init(&head, index);
	rd_init(&crc, str_sub(index, crc_at, sizeof(uint32_t)));
	if (rd_le32(&head) != SKIPPABLE ||
	    rd_le32(&head) != index.n - JOBLOG_INDEX_HEAD ||
	    rd_u32(&crc) != crypt_crc32c(0, sum))
		return false;
	*rows = str_sub(sum, 0, sum.n - COUNT_SIZE);
	return true;
}

/* Each frame of a size that can be, all together the whole file. */
static bool
add_up(struct rd *r, uint64_t packed_all, struct joblog_frame *v, size_t n)
{
	uint64_t at = 0, packed_at = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		v[i].at = at;
		v[i].packed_at = packed_at;
		v[i].packed = rd_u32(r);
		v[i].bytes = rd_u32(r);
		v[i].lines = rd_u32(r);
		if (v[i].packed == 0 || v[i].bytes == 0 ||
		    v[i].bytes > JOBLOG_FRAME_SIZE || v[i].lines > v[i].bytes)
			return false;
		at += v[i].bytes;
		packed_at += v[i].packed;
	}
	return rd_end(r) == RC_OK && packed_at == packed_all;
}

enum rc
joblog_index_parse(struct str index, uint64_t file_size,
    struct joblog_frame **out, size_t *n)
{
	const struct str tail = str_sub(index,
	    index.n < JOBLOG_INDEX_TAIL ? 0 : index.n - JOBLOG_INDEX_TAIL,
	    index.n);
	struct joblog_frame *v;
	struct str rows;
	size_t size, count;
	struct rd r;

	if (joblog_index_size(tail, &size) != RC_OK || size != index.n ||
	    size > file_size || !check(index, &rows))
		return RC_CORRUPT;
	count = rows.n / JOBLOG_INDEX_ROW;
	v = mem_array(count, sizeof(*v));
	rd_init(&r, rows);
	if (!add_up(&r, file_size - size, v, count)) {
		mem_free(v);
		return RC_CORRUPT;
	}
	*out = v;
	*n = count;
	return RC_OK;
}
