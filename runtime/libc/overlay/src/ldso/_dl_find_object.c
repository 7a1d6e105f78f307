/* _dl_find_object(3) of glibc 2.35. The libgcc of a distribution on glibc looks
 * up the unwind information of a program counter by it, and would not link
 * without. */
#define _GNU_SOURCE
#include <link.h>
#include <stdint.h>

struct dl_find_object {
	unsigned long long flags;
	void *map_start, *map_end;
	struct link_map *link_map;
	void *eh_frame;
	unsigned long long reserved[7];
};

struct search {
	uintptr_t address;
	struct dl_find_object *result;
};

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
	struct search *search = data;
	uintptr_t start = UINTPTR_MAX, end = 0, eh_frame = 0;
	int found = 0;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *header = info->dlpi_phdr + i;
		uintptr_t from = info->dlpi_addr + header->p_vaddr;
		uintptr_t to = from + header->p_memsz;
		if (header->p_type == PT_GNU_EH_FRAME) eh_frame = from;
		if (header->p_type != PT_LOAD) continue;
		if (from < start) start = from;
		if (to > end) end = to;
		if (search->address - from < header->p_memsz) found = 1;
	}
	if (!found || !eh_frame) return 0;
	*search->result = (struct dl_find_object){
		.map_start = (void *)start,
		.map_end = (void *)end,
		.eh_frame = (void *)eh_frame,
	};
	return 1;
}

/* 0 where the object is found, -1 otherwise. */
int _dl_find_object(void *address, struct dl_find_object *result)
{
	struct search search = { (uintptr_t)address, result };
	return dl_iterate_phdr(look, &search) ? 0 : -1;
}
