/* Pages for the allocator, kept in chunks.
 *
 * Plain musl gets each of its groups from the kernel and gives it back there. For
 * km a call is dear: clearing 256 KiB takes less time. So pages of that many and
 * fewer come from chunks that are mapped as a whole, and are used again.
 *
 * The chunks grow with what they hold, up to 2 MiB each. What is free and was
 * written is limited to half of what is in use, and CACHE beyond that. */
#define _GNU_SOURCE
#include <stdint.h>
#include "meta.h"

#undef mmap
#undef munmap
#undef mremap
#undef madvise

#define PAGES(length) (((length) + 4095) / 4096)
/* What one request may take out of a chunk. */
#define LARGEST 64
#define SMALLEST_CHUNK 16
#define LARGEST_CHUNK 512
/* 2 GiB; what does not fit is left to the kernel. */
#define CHUNKS 1024
/* Free pages that may stay written, whatever is in use. */
#define CACHE 512

struct chunk {
	unsigned char *base;
	unsigned pages, free;
	uint64_t used[LARGEST_CHUNK/64];
	/* Was written, and is not cleared yet. */
	uint64_t dirty[LARGEST_CHUNK/64];
};

/* In the order of their addresses. */
static struct chunk chunks[CHUNKS];
static unsigned count;
/* The one that a page was last taken from. */
static unsigned latest;
static size_t in_use, in_cache, in_chunks;

static int lock[1];

void __malloc_pages_atfork(int who)
{
	if (who > 0) lock[0] = 0;
	else if (who < 0) LOCK(lock);
	else UNLOCK(lock);
}

static int is_set(const uint64_t *bits, unsigned i)
{
	return bits[i/64] >> i%64 & 1;
}

static void assign(uint64_t *bits, unsigned i, int value)
{
	bits[i/64] = (bits[i/64] & ~(1ULL << i%64)) | (uint64_t)value << i%64;
}

/* The place of the first chunk that ends behind `address`. */
static unsigned place_of(const unsigned char *address)
{
	unsigned low = 0, high = count;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (chunks[middle].base + 4096UL*chunks[middle].pages <= address) low = middle + 1;
		else high = middle;
	}
	return low;
}

static struct chunk *chunk_of(const unsigned char *address)
{
	unsigned i = place_of(address);
	return i < count && chunks[i].base <= address ? chunks + i : 0;
}

/* The first of `n` pages in a row that are free, or -1. */
static int find(const struct chunk *c, unsigned n)
{
	unsigned run = 0;
	if (c->free < n) return -1;
	for (unsigned i = 0; i < c->pages; i++) {
		if (c->used[i/64] == -1ULL) {
			run = 0;
			i |= 63;
		} else if (is_set(c->used, i)) {
			run = 0;
		} else if (++run == n) {
			return i + 1 - n;
		}
	}
	return -1;
}

static int add_chunk(void)
{
	unsigned pages = SMALLEST_CHUNK;
	while (pages < in_chunks && pages < LARGEST_CHUNK) pages *= 2;
	if (pages < LARGEST && in_chunks) pages = LARGEST;
	if (count == CHUNKS) return 0;
	/* What is smaller than a huge page is mapped at once, with fewer page faults. */
	int flags = MAP_PRIVATE | MAP_ANON | (pages < LARGEST_CHUNK ? MAP_POPULATE : 0);
	unsigned char *base = __mmap(0, 4096UL*pages, PROT_READ|PROT_WRITE, flags, -1, 0);
	if (base == MAP_FAILED) return 0;
	unsigned i = place_of(base);
	memmove(chunks + i + 1, chunks + i, (count - i) * sizeof *chunks);
	chunks[i] = (struct chunk){ .base = base, .pages = pages, .free = pages };
	count++;
	latest = i;
	in_chunks += pages;
	return 1;
}

static void drop_chunk(struct chunk *c)
{
	unsigned i = c - chunks;
	unsigned char *base = c->base;
	size_t length = 4096UL*c->pages;
	for (unsigned j = 0; j < c->pages; j++) in_cache -= is_set(c->dirty, j);
	in_chunks -= c->pages;
	count--;
	memmove(chunks + i, chunks + i + 1, (count - i) * sizeof *chunks);
	latest = 0;
	__munmap(base, length);
}

static void *take(struct chunk *c, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		assign(c->used, i, 1);
		if (!is_set(c->dirty, i)) continue;
		assign(c->dirty, i, 0);
		in_cache--;
		memset(c->base + 4096UL*i, 0, 4096);
	}
	c->free -= n;
	in_use += n;
	return c->base + 4096UL*first;
}

static void *from_chunks(unsigned n)
{
	for (unsigned k = 0; k < count; k++) {
		unsigned i = (latest + k) % count;
		int first = find(chunks + i, n);
		if (first < 0) continue;
		latest = i;
		return take(chunks + i, first, n);
	}
	if (!add_chunk()) return 0;
	int first = find(chunks + latest, n);
	return first < 0 ? 0 : take(chunks + latest, first, n);
}

static void give_back(struct chunk *c, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		assign(c->used, i, 0);
		assign(c->dirty, i, 1);
	}
	c->free += n;
	in_use -= n;
	in_cache += n;
	if (in_cache <= CACHE + in_use/2) return;
	if (c->free == c->pages) {
		drop_chunk(c);
		return;
	}
	/* All that is free around it goes at once. */
	unsigned end = first + n;
	while (first && !is_set(c->used, first - 1)) first--;
	while (end < c->pages && !is_set(c->used, end)) end++;
	if (end - first < LARGEST || __madvise(c->base + 4096UL*first, 4096UL*(end - first), MADV_DONTNEED)) return;
	for (unsigned i = first; i < end; i++) {
		in_cache -= is_set(c->dirty, i);
		assign(c->dirty, i, 0);
	}
}

void *__malloc_map(size_t length)
{
	void *p = 0;
	if (PAGES(length) <= LARGEST) {
		int e = errno;
		LOCK(lock);
		p = from_chunks(PAGES(length));
		UNLOCK(lock);
		if (p) errno = e;
	}
	return p ? p : __mmap(0, length, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANON, -1, 0);
}

int __malloc_unmap(void *p, size_t length)
{
	int result = 0;
	LOCK(lock);
	struct chunk *c = chunk_of(p);
	if (c) give_back(c, PAGES((size_t)((unsigned char *)p - c->base)), PAGES(length));
	UNLOCK(lock);
	if (!c) result = __munmap(p, length);
	return result;
}

/* What lies in a chunk is not moved: the allocator copies it. */
void *__malloc_remap(void *p, size_t old, size_t new)
{
	if (PAGES(old) <= LARGEST) {
		LOCK(lock);
		int is_in_chunk = !!chunk_of(p);
		UNLOCK(lock);
		if (is_in_chunk) return MAP_FAILED;
	}
	return __mremap(p, old, new, MREMAP_MAYMOVE);
}

/* The free pages of a slot: too few to ask the kernel for it. */
void __malloc_release(void *p, size_t length)
{
	if (PAGES(length) > LARGEST) __madvise(p, length, MADV_FREE);
}
