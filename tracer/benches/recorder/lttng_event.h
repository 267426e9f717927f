/* The event that lttng_peer.c tells LTTng-UST of: what this project's store event holds. */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER doorbell

#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./lttng_event.h"

#if !defined(LTTNG_EVENT_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define LTTNG_EVENT_H

#include <lttng/tracepoint.h>
#include <stdint.h>

LTTNG_UST_TRACEPOINT_EVENT(
	doorbell, store,
	LTTNG_UST_TP_ARGS(uint32_t, region, uint64_t, offset, const char *, layout, const uint8_t *, bytes),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, region, region)
		lttng_ust_field_integer(uint64_t, offset, offset)
		lttng_ust_field_string(layout, layout)
		lttng_ust_field_array(uint8_t, bytes, bytes, 16)
	)
)

LTTNG_UST_TRACEPOINT_EVENT(
	doorbell, block,
	LTTNG_UST_TP_ARGS(uint32_t, region, uint64_t, offset, const char *, layout, const uint8_t *, bytes),
	LTTNG_UST_TP_FIELDS(
		lttng_ust_field_integer(uint32_t, region, region)
		lttng_ust_field_integer(uint64_t, offset, offset)
		lttng_ust_field_string(layout, layout)
		lttng_ust_field_array(uint8_t, bytes, bytes, 64)
	)
)

#endif

#include <lttng/tracepoint-event.h>
