/* Pages for the allocator's groups, kept in chunks.
 *
 * Plain musl gets each group from the kernel and gives it back there. For km a call
 * is dear: clearing a group takes less time. So those below 128 KiB come from chunks
 * that are mapped as a whole, and their pages are used again. What is larger, as is
 * all that `malloc` maps by itself, is the kernel's.
 *
 * Chunks grow with what they hold, up to 2 MiB each. Of what was written and is free,
 * 2 MiB and half of what is in use are kept, and runs of fewer than 8 pages. */
#define _GNU_SOURCE
#include <stdint.h>
#include "meta.h"

#undef mmap
#undef munmap

/* What `malloc` maps by itself has at least this many pages. */
#define TOO_LARGE 32
#define SMALLEST_CHUNK 16
#define LARGEST_CHUNK 512
/* 2 GiB of them; what does not fit is left to the kernel. */
#define CHUNKS 1024
#define CACHE 512
#define SHORTEST_RUN 8

struct chunk {
	unsigned char *base;
	unsigned pages, free;
	/* No run of free pages is longer. */
	unsigned longest;
	uint64_t used[LARGEST_CHUNK/64];
	/* Was written, and is not cleared yet. */
	uint64_t dirty[LARGEST_CHUNK/64];
};

/* In the order of their addresses. */
static struct chunk *chunks;
static unsigned count;
/* The one that a page was last taken from. */
static unsigned latest;
/* Pages. */
static size_t in_use, in_cache, in_chunks;
/* What the cache has to grow to before it is looked through again. */
static size_t enough;

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
static int find(struct chunk *c, unsigned n)
{
	unsigned run = 0;
	if (c->longest < n) return -1;
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
	c->longest = n - 1;
	return -1;
}

static int add_chunk(void)
{
	unsigned pages = SMALLEST_CHUNK;
	while ((pages < in_chunks || pages < TOO_LARGE && in_chunks) && pages < LARGEST_CHUNK) pages *= 2;
	if (!chunks) {
		void *table = __mmap(0, CHUNKS * sizeof *chunks, PROT_READ|PROT_WRITE,
			MAP_PRIVATE|MAP_ANON|MAP_NORESERVE, -1, 0);
		if (table == MAP_FAILED) return 0;
		chunks = table;
	}
	if (count == CHUNKS) return 0;
	/* What is smaller than a huge page is mapped at once, with fewer page faults. */
	int flags = MAP_PRIVATE | MAP_ANON | (pages < LARGEST_CHUNK ? MAP_POPULATE : 0);
	unsigned char *base = __mmap(0, 4096UL*pages, PROT_READ|PROT_WRITE, flags, -1, 0);
	if (base == MAP_FAILED) return 0;
	unsigned i = place_of(base);
	memmove(chunks + i + 1, chunks + i, (count - i) * sizeof *chunks);
	chunks[i] = (struct chunk){ .base = base, .pages = pages, .free = pages, .longest = pages };
	count++;
	latest = i;
	in_chunks += pages;
	return 1;
}

static void drop_chunk(struct chunk *c)
{
	unsigned i = c - chunks;
	for (unsigned j = 0; j < c->pages; j++) in_cache -= is_set(c->dirty, j);
	in_chunks -= c->pages;
	/* Not __munmap, which waits for other processes. */
	__syscall(SYS_munmap, c->base, 4096UL*c->pages);
	count--;
	memmove(c, c + 1, (count - i) * sizeof *c);
	latest = 0;
}

/* Gives the kernel back what of a chunk is free and was written. */
static void clean(struct chunk *c)
{
	unsigned end;
	for (unsigned i = 0; i < c->pages; i = end + 1) {
		unsigned dirty = 0;
		for (end = i; end < c->pages && !is_set(c->used, end); end++) dirty += is_set(c->dirty, end);
		if (!dirty || end - i < SHORTEST_RUN) continue;
		if (__syscall(SYS_madvise, c->base + 4096UL*i, 4096UL*(end - i), MADV_DONTNEED)) continue;
		in_cache -= dirty;
		for (unsigned j = i; j < end; j++) assign(c->dirty, j, 0);
	}
}

/* Leaves at most so much in the cache, if it can; with 0, no chunk that is free. */
static void trim(size_t most)
{
	for (unsigned i = count; i-- && (in_cache > most || !most);) {
		if (chunks[i].free == chunks[i].pages) drop_chunk(chunks + i);
		else clean(chunks + i);
	}
}

/* Takes pages; which of them are to be cleared, a bit each. */
static unsigned char *take(struct chunk *c, unsigned first, unsigned n, uint64_t *dirty)
{
	for (unsigned i = 0; i < n; i++) {
		assign(c->used, first + i, 1);
		if (!is_set(c->dirty, first + i)) continue;
		assign(c->dirty, first + i, 0);
		in_cache--;
		*dirty |= 1ULL << i;
	}
	c->free -= n;
	in_use += n;
	return c->base + 4096UL*first;
}

static unsigned char *from_chunks(unsigned n, uint64_t *dirty)
{
	for (unsigned k = 0; k < count; k++) {
		unsigned i = (latest + k) % count;
		int first = find(chunks + i, n);
		if (first < 0) continue;
		latest = i;
		return take(chunks + i, first, n, dirty);
	}
	if (!add_chunk()) return 0;
	int first = find(chunks + latest, n);
	return first < 0 ? 0 : take(chunks + latest, first, n, dirty);
}

static void give_back(struct chunk *c, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		assign(c->used, i, 0);
		assign(c->dirty, i, 1);
	}
	c->free += n;
	c->longest = c->free;
	in_use -= n;
	in_cache += n;
	size_t limit = CACHE + in_use/2;
	if (in_cache <= limit) {
		enough = 0;
	} else if (in_cache > enough) {
		trim(limit - limit/4);
		enough = in_cache + in_cache/4;
	}
}

void *__malloc_map(size_t length)
{
	int e = errno;
	unsigned char *p = 0;
	if (length < 4096UL*TOO_LARGE) {
		uint64_t dirty = 0;
		LOCK(lock);
		p = from_chunks((length + 4095) / 4096, &dirty);
		UNLOCK(lock);
		for (unsigned char *page = p; dirty; page += 4096, dirty >>= 1)
			if (dirty & 1) memset(page, 0, 4096);
		errno = e;
		if (p) return p;
	}
	p = __mmap(0, length, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANON, -1, 0);
	if (p != MAP_FAILED) return p;
	/* What is kept here may be what is missing there. */
	LOCK(lock);
	trim(0);
	UNLOCK(lock);
	p = __mmap(0, length, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANON, -1, 0);
	if (p != MAP_FAILED) errno = e;
	return p;
}

int __malloc_unmap(void *p, size_t length)
{
	LOCK(lock);
	struct chunk *c = chunk_of(p);
	if (c) give_back(c, ((unsigned char *)p - c->base) / 4096, (length + 4095) / 4096);
	UNLOCK(lock);
	return c ? 0 : __munmap(p, length);
}
