/* Times LTTng-UST: for each line on its input, "store" or "block", a run of events, and the nanoseconds
 * that one took on its output. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "lttng_event.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int count, char **arguments)
{
	static uint8_t rows[64][64];
	int events = count > 1 ? atoi(arguments[1]) : 100000;
	char line[16];

	for (int row = 0; row < 64; row++)
		memset(rows[row], row, sizeof(rows[row]));
	while (fgets(line, sizeof(line), stdin)) {
		int blocks = !strncmp(line, "block", 5);
		double start = now();

		for (int at = 0; at < events; at++) {
			const uint8_t *bytes = rows[at % 64];

			if (blocks)
				lttng_ust_tracepoint(doorbell, block, 1, at * 64ul, "wqe", bytes);
			else
				lttng_ust_tracepoint(doorbell, store, 1, at * 16ul, "data_segment", bytes);
		}
		printf("%f\n", (now() - start) / events);
		fflush(stdout);
	}
	return 0;
}
