/* Posts a list of work requests through libibverbs and libmlx5, and prints what each call wrote.
 *
 * post_grid DEVICE CASES
 *
 * The cases are lines of words; numbers are decimal.
 *
 *   pair WR RECV SSGE RSGE INLINE ALL   two connected queue pairs of these sizes, in place of the last
 *   fill BYTE                           sets every byte of the sender's send ring and of the receiver's
 *                                       receive ring; nothing is outstanding then
 *   send N, and N lines
 *     wr OPCODE FLAGS IMM REMOTE NSGE (OFFSET LENGTH)*
 *   recv N, and N lines
 *     rr NSGE (OFFSET LENGTH)*          one call, on the receiver
 *   poll N, take N                      waits for N completions of the sender, of the receiver
 *
 * What an atomic operation, or the bind of a memory window, needs besides is worked out of IMM; a bind's
 * window exists nowhere, and its memory begins at REMOTE of the local buffer.
 *
 * Offsets are into the local buffer for wr, into the remote one for REMOTE and rr. The answer:
 *
 *   library FILE                        of libibverbs and libmlx5, as they are mapped
 *   pair QPN LKEY RKEY LOCAL REMOTE SQ RQ STRIDE SCQ RCQ INLINE
 *   send|recv ERRNO INDEX               what the call returned; "-" without a bad request
 *   s|r OFFSET HEX                      a unit of 16 bytes of the ring that is not what it was
 *   d HEX                               the doorbell record of that queue pair
 *   w WR_ID STATUS OPCODE LENGTH IMM    a completion
 *   c HEX                               the doorbell record of that completion queue
 *
 * examples/programs/twin is the same program on the driver of this repository.
 */
#include <endian.h>
#include <errno.h>
#include <infiniband/mlx5dv.h>
#include <infiniband/verbs.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { HALF = 1 << 19, UNIT = 16, MOST = 128, SGES = 64, PORT = 1, PATIENCE = 60 };

struct side {
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	struct mlx5dv_qp ring;
	struct mlx5dv_cq queue;
	uint8_t *shadow_send, *shadow_receive;
};

static struct ibv_context *context;
static struct ibv_pd *pd;
static struct ibv_mr *local, *remote;
static struct side sender, receiver;
static uint64_t next_id = 1;

static void fail(const char *what)
{
	fprintf(stderr, "post_grid: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void want(int is_so, const char *what)
{
	if (!is_so)
		fail(what);
}

/* Which files of libibverbs and libmlx5 this process runs. */
static void say_libraries(void)
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

static void open_device(const char *name)
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

static struct ibv_mr *memory(int access)
{
	uint8_t *bytes = aligned_alloc(4096, HALF);
	struct ibv_mr *mr;

	want(bytes != NULL, "memory");
	for (int i = 0; i < HALF; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8) * 13 + 1);
	mr = ibv_reg_mr(pd, bytes, HALF, access);
	want(mr != NULL, "ibv_reg_mr");
	return mr;
}

static size_t send_bytes(struct side *side)
{
	return (size_t)side->ring.sq.wqe_cnt * side->ring.sq.stride;
}

static size_t receive_bytes(struct side *side)
{
	return (size_t)side->ring.rq.wqe_cnt * side->ring.rq.stride;
}

static uint32_t create(struct side *side, const int sizes[6])
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.sq_sig_all = sizes[5],
		.cap = { .max_send_wr = sizes[0], .max_recv_wr = sizes[1], .max_send_sge = sizes[2],
			 .max_recv_sge = sizes[3], .max_inline_data = sizes[4] },
	};
	struct mlx5dv_obj obj = {};

	side->cq = ibv_create_cq(context, 1023, NULL, NULL, 0);
	want(side->cq != NULL, "ibv_create_cq");
	attr.send_cq = attr.recv_cq = side->cq;
	side->qp = ibv_create_qp(pd, &attr);
	want(side->qp != NULL, "ibv_create_qp");
	obj.qp.in = side->qp;
	obj.qp.out = &side->ring;
	obj.cq.in = side->cq;
	obj.cq.out = &side->queue;
	want(!mlx5dv_init_obj(&obj, MLX5DV_OBJ_QP | MLX5DV_OBJ_CQ), "mlx5dv_init_obj");
	side->shadow_send = malloc(send_bytes(side));
	side->shadow_receive = malloc(receive_bytes(side));
	want(side->shadow_send && side->shadow_receive, "memory");
	memcpy(side->shadow_send, side->ring.sq.buf, send_bytes(side));
	memcpy(side->shadow_receive, side->ring.rq.buf, receive_bytes(side));
	return attr.cap.max_inline_data;
}

static void destroy(struct side *side)
{
	if (!side->qp)
		return;
	want(!ibv_destroy_qp(side->qp) && !ibv_destroy_cq(side->cq), "destroy");
	free(side->shadow_send);
	free(side->shadow_receive);
	memset(side, 0, sizeof *side);
}

static void connect_to(struct side *own, struct side *other, int own_psn, int other_psn, int lid)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT, .port_num = PORT,
		.qp_access_flags = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
				   IBV_ACCESS_REMOTE_READ,
		.path_mtu = IBV_MTU_1024, .dest_qp_num = other->qp->qp_num, .rq_psn = other_psn,
		.max_dest_rd_atomic = 1, .min_rnr_timer = 12,
		.ah_attr = { .dlid = lid, .port_num = PORT },
		.timeout = 14, .retry_cnt = 7, .rnr_retry = 7, .sq_psn = own_psn, .max_rd_atomic = 1,
	};

	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			    IBV_QP_ACCESS_FLAGS), "RESET to INIT");
	attr.qp_state = IBV_QPS_RTR;
	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			    IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | IBV_QP_MAX_DEST_RD_ATOMIC |
			    IBV_QP_MIN_RNR_TIMER), "INIT to RTR");
	attr.qp_state = IBV_QPS_RTS;
	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT |
			    IBV_QP_RNR_RETRY | IBV_QP_SQ_PSN | IBV_QP_MAX_QP_RD_ATOMIC),
	     "RTR to RTS");
}

static void make_pair(const int sizes[6])
{
	struct ibv_port_attr port;
	uint32_t max_inline;

	destroy(&sender);
	destroy(&receiver);
	next_id = 1;
	max_inline = create(&sender, sizes);
	create(&receiver, sizes);
	want(!ibv_query_port(context, PORT, &port), "ibv_query_port");
	connect_to(&sender, &receiver, 0x1000, 0x2000, port.lid);
	connect_to(&receiver, &sender, 0x2000, 0x1000, port.lid);
	printf("pair %u %u %u %" PRIu64 " %" PRIu64 " %u %u %u %u %u %u\n", sender.qp->qp_num,
	       local->lkey, remote->rkey, (uint64_t)(uintptr_t)local->addr,
	       (uint64_t)(uintptr_t)remote->addr, sender.ring.sq.wqe_cnt, receiver.ring.rq.wqe_cnt,
	       receiver.ring.rq.stride, sender.queue.cqe_cnt, receiver.queue.cqe_cnt, max_inline);
}

static void say_bytes(const void *bytes, size_t length)
{
	for (size_t i = 0; i < length; i++)
		printf("%02x", ((const uint8_t *)bytes)[i]);
	putchar('\n');
}

/* The units of a ring that have changed. */
static void say_changes(char name, const uint8_t *ring, uint8_t *shadow, size_t length)
{
	for (size_t at = 0; at < length; at += UNIT) {
		if (!memcmp(ring + at, shadow + at, UNIT))
			continue;
		memcpy(shadow + at, ring + at, UNIT);
		printf("%c %zu ", name, at);
		say_bytes(ring + at, UNIT);
	}
}

static void fill(int byte)
{
	memset(sender.ring.sq.buf, byte, send_bytes(&sender));
	memset(sender.shadow_send, byte, send_bytes(&sender));
	memset(receiver.ring.rq.buf, byte, receive_bytes(&receiver));
	memset(receiver.shadow_receive, byte, receive_bytes(&receiver));
}

/* The rest of a line, word by word. */
static uint64_t number(void)
{
	char *word = strtok(NULL, " \n");

	if (!word) {
		fprintf(stderr, "post_grid: a line of the cases is too short\n");
		exit(1);
	}
	return strtoull(word, NULL, 10);
}

static char line[4096];

static char *next_line(FILE *cases)
{
	return fgets(line, sizeof line, cases) ? strtok(line, " \n") : NULL;
}

static void expect_line(FILE *cases, const char *name)
{
	char *word = next_line(cases);

	if (!word || strcmp(word, name)) {
		fprintf(stderr, "post_grid: the cases have no %s where there must be one\n", name);
		exit(1);
	}
}

static int elements(struct ibv_sge *sges, struct ibv_mr *mr)
{
	int count = (int)number();

	want(count <= SGES, "too many elements for this program");
	for (int i = 0; i < count; i++) {
		sges[i].addr = (uintptr_t)mr->addr + number();
		sges[i].length = (uint32_t)number();
		sges[i].lkey = mr->lkey;
	}
	return count;
}

static void say_result(const char *call, int error, long index)
{
	if (error)
		printf("%s %d %ld\n", call, error, index);
	else
		printf("%s 0 -\n", call);
}

/* Where on the other side, and what else the opcode needs. */
static void operands(struct ibv_send_wr *wr, struct ibv_mw *mw, uint32_t imm, uint64_t offset)
{
	uint64_t operand = imm * UINT64_C(0x9e3779b97f4a7c15);

	switch (wr->opcode) {
	case IBV_WR_SEND_WITH_INV:
	case IBV_WR_LOCAL_INV:
		wr->invalidate_rkey = imm;
		break;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		wr->wr.atomic.remote_addr = (uintptr_t)remote->addr + offset;
		wr->wr.atomic.rkey = remote->rkey;
		wr->wr.atomic.compare_add = operand;
		wr->wr.atomic.swap = ~operand;
		break;
	case IBV_WR_BIND_MW:
		mw->rkey = imm;
		mw->type = imm & 1 ? IBV_MW_TYPE_2 : IBV_MW_TYPE_1;
		wr->bind_mw.mw = mw;
		wr->bind_mw.rkey = imm ^ 0x5a;
		wr->bind_mw.bind_info.mr = local;
		wr->bind_mw.bind_info.addr = (uintptr_t)local->addr + offset;
		wr->bind_mw.bind_info.length = imm & 2 ? imm >> 1 | 1 : 0;
		wr->bind_mw.bind_info.mw_access_flags =
			(imm >> 4 & 15) | (imm >> 8 & 1 ? IBV_ACCESS_ZERO_BASED : 0);
		break;
	default:
		wr->imm_data = htobe32(imm);
		wr->wr.rdma.remote_addr = (uintptr_t)remote->addr + offset;
		wr->wr.rdma.rkey = remote->rkey;
	}
}

static void do_send(FILE *cases, int count)
{
	static struct ibv_sge sges[MOST][SGES];
	struct ibv_mw mws[MOST] = {};
	uint32_t imm;
	struct ibv_send_wr wrs[MOST] = {}, *bad = NULL;
	int error;

	want(count <= MOST, "too many requests for this program");
	for (int i = 0; i < count; i++) {
		expect_line(cases, "wr");
		wrs[i].wr_id = next_id++;
		wrs[i].opcode = (enum ibv_wr_opcode)number();
		wrs[i].send_flags = (unsigned int)number();
		imm = (uint32_t)number();
		operands(&wrs[i], &mws[i], imm, number());
		wrs[i].sg_list = sges[i];
		wrs[i].num_sge = elements(sges[i], local);
		wrs[i].next = i + 1 < count ? &wrs[i + 1] : NULL;
	}
	error = ibv_post_send(sender.qp, wrs, &bad);
	say_result("send", error, bad - wrs);
	say_changes('s', sender.ring.sq.buf, sender.shadow_send, send_bytes(&sender));
	printf("d ");
	say_bytes((void *)sender.ring.dbrec, 8);
}

static void do_recv(FILE *cases, int count)
{
	static struct ibv_sge sges[MOST][SGES];
	struct ibv_recv_wr wrs[MOST] = {}, *bad = NULL;
	int error;

	want(count <= MOST, "too many requests for this program");
	for (int i = 0; i < count; i++) {
		expect_line(cases, "rr");
		wrs[i].wr_id = next_id++;
		wrs[i].sg_list = sges[i];
		wrs[i].num_sge = elements(sges[i], remote);
		wrs[i].next = i + 1 < count ? &wrs[i + 1] : NULL;
	}
	error = ibv_post_recv(receiver.qp, wrs, &bad);
	say_result("recv", error, bad - wrs);
	say_changes('r', receiver.ring.rq.buf, receiver.shadow_receive, receive_bytes(&receiver));
	printf("d ");
	say_bytes((void *)receiver.ring.dbrec, 8);
}

static void wait_for(struct side *side, int count)
{
	time_t until = time(NULL) + PATIENCE;

	for (int done = 0; done < count;) {
		struct ibv_wc wcs[16] = {};
		int most = count - done < 16 ? count - done : 16;
		int polled = ibv_poll_cq(side->cq, most, wcs);

		want(polled >= 0, "ibv_poll_cq");
		for (int i = 0; i < polled; i++) {
			int has_length = wcs[i].opcode & IBV_WC_RECV || wcs[i].opcode == IBV_WC_RDMA_READ ||
					 wcs[i].opcode == IBV_WC_COMP_SWAP ||
					 wcs[i].opcode == IBV_WC_FETCH_ADD;

			printf("w %" PRIu64 " %d %d %u ", wcs[i].wr_id, wcs[i].status, wcs[i].opcode,
			       has_length ? wcs[i].byte_len : 0);
			/* A sender's completion has the flag, too, and no data with it. */
			if (wcs[i].opcode & IBV_WC_RECV && wcs[i].wc_flags & IBV_WC_WITH_IMM)
				printf("%u\n", be32toh(wcs[i].imm_data));
			else
				printf("-\n");
		}
		done += polled;
		if (!polled && time(NULL) > until) {
			printf("stuck %d of %d\n", done, count);
			fflush(stdout);
			fprintf(stderr, "post_grid: only %d of %d completions came\n", done, count);
			exit(1);
		}
	}
	printf("c ");
	say_bytes((void *)side->queue.dbrec, 4);
}

int main(int argc, char **argv)
{
	FILE *cases = argc == 3 ? fopen(argv[2], "r") : NULL;
	char *word;

	want(cases != NULL, "usage: post_grid DEVICE CASES");
	open_device(argv[1]);
	say_libraries();
	local = memory(IBV_ACCESS_LOCAL_WRITE);
	remote = memory(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_REMOTE_READ);
	while ((word = next_line(cases))) {
		if (!strcmp(word, "pair")) {
			int sizes[6];

			for (int i = 0; i < 6; i++)
				sizes[i] = (int)number();
			make_pair(sizes);
		} else if (!strcmp(word, "fill")) {
			fill((int)number());
		} else if (!strcmp(word, "send")) {
			do_send(cases, (int)number());
		} else if (!strcmp(word, "recv")) {
			do_recv(cases, (int)number());
		} else if (!strcmp(word, "poll")) {
			wait_for(&sender, (int)number());
		} else if (!strcmp(word, "take")) {
			wait_for(&receiver, (int)number());
		} else {
			fprintf(stderr, "post_grid: the cases say %s, which is nothing\n", word);
			return 1;
		}
	}
	destroy(&sender);
	destroy(&receiver);
	return 0;
}
