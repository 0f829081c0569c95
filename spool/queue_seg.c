/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spool/queue_seg.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/crypt.h"

enum {
	VERSION = 1,
	MAGIC_SIZE = 8,
	LENGTH_SIZE = 4,
	CRC_END = 8, /* length and CRC */
	NAME_DIGITS = 20
};

#define SEQ_END (UINT64_MAX / 2) /* never reached by counting */

static const char magic[] = "RMQ-segm";
static const char name_prefix[] = "seg-";

_Static_assert(sizeof(magic) - 1 == MAGIC_SIZE, "magic");
_Static_assert(MAGIC_SIZE + 4 + QUEUE_EPOCH_SIZE + 8 == QUEUE_SEG_HEAD, "head");
_Static_assert(CRC_END + 8 + 8 + 1 == QUEUE_REC_HEAD, "record");
_Static_assert(sizeof(name_prefix) + NAME_DIGITS <= QUEUE_NAME_CAP, "name");
_Static_assert(QUEUE_SEG_HEAD + QUEUE_REC_HEAD + QUEUE_RECORD_MAX <=
                   QUEUE_SEGMENT_SIZE,
    "any record fits a segment");

void
queue_seg_name(uint64_t first, char dst[QUEUE_NAME_CAP])
{
	ASSERT(str_fmt(dst, QUEUE_NAME_CAP, "%s%020llu", name_prefix,
	    (unsigned long long)first));
}

bool
queue_seg_parse_name(const char *name, uint64_t *out_first)
{
	const struct str prefix = str_of(name_prefix), s = str_of(name);

	return str_starts(s, prefix) && s.n == prefix.n + NAME_DIGITS &&
	       str_u64(str_sub(s, prefix.n, s.n), UINT64_MAX, out_first);
}

void
queue_seg_put_head(struct buf *out, const uint8_t *epoch, uint64_t first)
{
	buf_put(out, magic, MAGIC_SIZE);
	buf_put_u32(out, VERSION);
	buf_put(out, epoch, QUEUE_EPOCH_SIZE);
	buf_put_u64(out, first);
}

enum rc
queue_seg_take_head(struct str *rest, const uint8_t *epoch, uint64_t first)
{
	struct str head_magic, head_epoch;
	uint64_t head_first;
	uint32_t version;
	struct rd r;

	rd_init(&r, str_sub(*rest, 0, QUEUE_SEG_HEAD));
	head_magic = rd_bytes(&r, MAGIC_SIZE);
	version = rd_u32(&r);
	head_epoch = rd_bytes(&r, QUEUE_EPOCH_SIZE);
	head_first = rd_u64(&r);
	if (rd_rc(&r) != RC_OK || !str_eqz(head_magic, magic))
		return RC_CORRUPT;
	if (version > VERSION)
		return RC_VERSION;
	if (version != VERSION || head_first != first ||
	    !str_eq(head_epoch, str_from(epoch, QUEUE_EPOCH_SIZE)))
		return RC_CORRUPT;
	*rest = str_sub(*rest, QUEUE_SEG_HEAD, rest->n);
	return RC_OK;
}

/* Of the whole record, its own four bytes left out. */
static uint32_t
record_crc(struct str record)
{
	uint32_t crc = crypt_crc32c(0, str_sub(record, 0, LENGTH_SIZE));

	return crypt_crc32c(crc, str_sub(record, CRC_END, record.n));
}

void
queue_seg_put(struct buf *out, const struct queue_record *r)
{
	const size_t at = out->len;
	struct buf crc;

	buf_put_u32(out, (uint32_t)r->payload.n);
	buf_put_u32(out, 0);
	buf_put_u64(out, r->seq);
	buf_put_u64(out, (uint64_t)r->at_ms);
	buf_put_u8(out, (uint8_t)r->type);
	buf_put_str(out, r->payload);
	if (buf_rc(out) != RC_OK)
		return;
	buf_init(&crc, LENGTH_SIZE);
	buf_put_u32(&crc, record_crc(str_sub(buf_str(out), at, out->len)));
	memcpy(out->data + at + LENGTH_SIZE, crc.data, crc.len);
	buf_fini(&crc);
}

static bool
follows(const struct queue_record *r, uint64_t before)
{
	if (r->type == QUEUE_GAP)
		return r->seq > before && r->seq < SEQ_END;
	return (r->type == QUEUE_EVENT || r->type == QUEUE_LOG) &&
	       r->seq == before + 1;
}

enum rc
queue_seg_take(struct str *rest, uint64_t before, struct queue_record *out)
{
	struct queue_record rec;
	uint32_t length, crc;
	struct rd r;

	if (rest->n == 0)
		return RC_NOTFOUND;
	rd_init(&r, *rest);
	length = rd_u32(&r);
	crc = rd_u32(&r);
	rec.seq = rd_u64(&r);
	rec.at_ms = (int64_t)rd_u64(&r);
	rec.type = (enum queue_type)rd_u8(&r);
	if (length > QUEUE_RECORD_MAX)
		return RC_CORRUPT;
	rec.payload = rd_bytes(&r, length);
	if (rd_rc(&r) != RC_OK || !follows(&rec, before) ||
	    crc != record_crc(str_sub(*rest, 0, QUEUE_REC_HEAD + length)))
		return RC_CORRUPT;
	*rest = str_sub(*rest, QUEUE_REC_HEAD + length, rest->n);
	*out = rec;
	return RC_OK;
}

enum rc
queue_seg_scan(struct str file, const uint8_t *epoch, struct queue_seg *seg)
{
	struct queue_record rec;
	struct str rest = file;
	enum rc rc;

	seg->last = seg->first - 1;
	seg->size = 0;
	seg->logs = 0;
	if ((rc = queue_seg_take_head(&rest, epoch, seg->first)) != RC_OK)
		return rc;
	while ((rc = queue_seg_take(&rest, seg->last, &rec)) == RC_OK) {
		seg->last = rec.seq;
		if (rec.type == QUEUE_LOG)
			seg->logs += QUEUE_REC_HEAD + rec.payload.n;
	}
	seg->size = file.n - rest.n;
	return rc == RC_NOTFOUND ? RC_OK : rc;
}
