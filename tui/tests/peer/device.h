/* A device of libibverbs, and how a program that uses it ends when it cannot go on: included by programs that
 * name themselves in PROGRAM. */
#include <errno.h>
#include <infiniband/verbs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ibv_context *context;
static struct ibv_pd *pd;

static inline void want(int is_so, const char *what)
{
	if (is_so)
		return;
	fprintf(stderr, PROGRAM ": %s: %s\n", what, strerror(errno));
	exit(1);
}

/* Which files of libibverbs and libmlx5 this process runs. */
static inline void say_libraries(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], last[512] = "";

	want(maps != NULL, "/proc/self/maps");
	while (fgets(line, sizeof line, maps)) {
		char *path = strchr(line, '/');

		if (!path || !(strstr(path, "libibverbs.so") || strstr(path, "libmlx5.so")))
			continue;
		if (strcmp(path, last))
			printf("library %s", path);
		strcpy(last, path);
	}
	fclose(maps);
}

static inline void open_device(const char *name)
{
	struct ibv_device **list = ibv_get_device_list(NULL);

	want(list != NULL, "ibv_get_device_list");
	for (int i = 0; list[i]; i++)
		if (!strcmp(ibv_get_device_name(list[i]), name))
			context = ibv_open_device(list[i]);
	want(context != NULL, "no such device, or ibv_open_device");
	ibv_free_device_list(list);
	pd = ibv_alloc_pd(context);
	want(pd != NULL, "ibv_alloc_pd");
}
