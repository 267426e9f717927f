/* Posts a list of work requests through libibverbs and libmlx5, and prints what each call wrote.
 *
 * post_grid DEVICE CASES
 *
 * The cases are lines of words; numbers are decimal.
 *
 *   pair TYPE WAY WR RECV SSGE RSGE INLINE ALL
 *                                       two queue pairs of this transport (enum ibv_qp_type) and these sizes,
 *                                       each connected to the other, in place of the last; WAY is 0 for
 *                                       ibv_post_send, 1 for ibv_wr_start to ibv_wr_complete
 *   fill BYTE                           sets every byte of the sender's send ring and of the receiver's
 *                                       receive ring; nothing is outstanding then
 *   send N, and N lines
 *     wr OPCODE FLAGS IMM REMOTE NSGE (OFFSET LENGTH)*      one call, or one batch
 *   recv N, and N lines
 *     rr NSGE (OFFSET LENGTH)*          one call, on the receiver
 *   poll N, take N                      waits for N completions of the sender, of the receiver
 *
 * What an atomic operation, or the bind of a memory window, needs besides is worked out of IMM; a bind's
 * window exists nowhere, and its memory begins at REMOTE of the local buffer. In a batch, the window is one
 * of type 2 that there is. A datagram goes by the address handle number REMOTE, modulo their number; a batch
 * gives a single element as a list if IMM is odd.
 *
 * Offsets are into the local buffer for wr, into the remote one for REMOTE and rr. The answer:
 *
 *   library FILE                        of libibverbs and libmlx5, as they are mapped
 *   pair QPN OTHER LKEY RKEY WINDOW LOCAL REMOTE SQ RQ STRIDE SCQ RCQ INLINE
 *                                       numbers of both queue pairs, keys, addresses, entries and sizes
 *   send|recv ERRNO INDEX               what the call returned; "-" without a bad request, and 0 for a batch
 *                                       that was refused
 *   s|r OFFSET HEX                      a unit of 16 bytes of the ring that is not what it was
 *   d HEX                               the doorbell record of that queue pair
 *   w WR_ID STATUS OPCODE LENGTH IMM    a completion; of a received datagram also whether there is room for a
 *                                       GRH, whether it is the sender's, SLID and SL
 *   c HEX                               the doorbell record of that completion queue
 *
 * examples/programs/twin is the same program on the driver of this repository.
 */
#define PROGRAM "post_grid"

#include "device.h"
#include <endian.h>
#include <infiniband/mlx5dv.h>
#include <inttypes.h>
#include <time.h>

enum { HALF = 1 << 19, UNIT = 16, MOST = 128, SGES = 64, PORT = 1, PATIENCE = 60, HANDLES = 3, QKEY = 0x11111111 };

/* What a pair is to be: the words of its line. */
enum { TYPE, WAY, SEND_WR, RECEIVE_WR, SEND_SGE, RECEIVE_SGE, INLINE, ALL, SIZES };

struct side {
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	struct mlx5dv_qp ring;
	struct mlx5dv_cq queue;
	uint8_t *shadow_send, *shadow_receive;
};

static struct ibv_mr *local, *remote;
static struct ibv_mw *window;
static struct ibv_ah *handles[HANDLES];
static struct side sender, receiver;
static enum ibv_qp_type type;
static int by_batch;
static uint64_t next_id = 1;

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

/* What a batch can hold of each transport. */
static uint64_t operations(void)
{
	uint64_t datagram = IBV_QP_EX_WITH_SEND | IBV_QP_EX_WITH_SEND_WITH_IMM;
	uint64_t unreliable = datagram | IBV_QP_EX_WITH_SEND_WITH_INV | IBV_QP_EX_WITH_RDMA_WRITE |
			      IBV_QP_EX_WITH_RDMA_WRITE_WITH_IMM | IBV_QP_EX_WITH_LOCAL_INV |
			      IBV_QP_EX_WITH_BIND_MW;

	if (type == IBV_QPT_UD)
		return datagram;
	if (type == IBV_QPT_UC)
		return unreliable;
	return unreliable | IBV_QP_EX_WITH_RDMA_READ | IBV_QP_EX_WITH_ATOMIC_CMP_AND_SWP |
	       IBV_QP_EX_WITH_ATOMIC_FETCH_AND_ADD;
}

static uint32_t create(struct side *side, const int sizes[SIZES])
{
	struct ibv_qp_init_attr_ex attr = {
		.qp_type = type,
		.sq_sig_all = sizes[ALL],
		.cap = { .max_send_wr = sizes[SEND_WR], .max_recv_wr = sizes[RECEIVE_WR],
			 .max_send_sge = sizes[SEND_SGE], .max_recv_sge = sizes[RECEIVE_SGE],
			 .max_inline_data = sizes[INLINE] },
		.comp_mask = IBV_QP_INIT_ATTR_PD, .pd = pd,
	};
	struct mlx5dv_obj obj = {};

	side->cq = ibv_create_cq(context, 1023, NULL, NULL, 0);
	want(side->cq != NULL, "ibv_create_cq");
	attr.send_cq = attr.recv_cq = side->cq;
	if (by_batch) {
		attr.comp_mask |= IBV_QP_INIT_ATTR_SEND_OPS_FLAGS;
		attr.send_ops_flags = operations();
	}
	side->qp = ibv_create_qp_ex(context, &attr);
	want(side->qp != NULL, "ibv_create_qp_ex");
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

	int is_reliable = type == IBV_QPT_RC, is_datagram = type == IBV_QPT_UD;
	int route = IBV_QP_AV | IBV_QP_PATH_MTU | IBV_QP_DEST_QPN | IBV_QP_RQ_PSN;
	int serving = IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;
	int patience = IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;

	attr.qkey = QKEY;
	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			    (is_datagram ? IBV_QP_QKEY : IBV_QP_ACCESS_FLAGS)), "RESET to INIT");
	attr.qp_state = IBV_QPS_RTR;
	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | (is_datagram ? 0 : route) |
			    (is_reliable ? serving : 0)), "INIT to RTR");
	attr.qp_state = IBV_QPS_RTS;
	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN |
			    (is_reliable ? patience : 0)), "RTR to RTS");
}

/* Ways to our own port: the plain one, one on another service level, and one by GID. */
static void make_handles(int lid)
{
	struct ibv_ah_attr attr = { .dlid = lid, .port_num = PORT };
	union ibv_gid gid;

	want(!ibv_query_gid(context, PORT, 0, &gid), "ibv_query_gid");
	handles[0] = ibv_create_ah(pd, &attr);
	attr.sl = 3;
	handles[1] = ibv_create_ah(pd, &attr);
	attr.sl = 0;
	attr.is_global = 1;
	attr.grh.dgid = gid;
	attr.grh.hop_limit = 7;
	handles[2] = ibv_create_ah(pd, &attr);
	want(handles[0] && handles[1] && handles[2], "ibv_create_ah");
}

static void make_pair(const int sizes[SIZES])
{
	struct ibv_port_attr port;
	uint32_t max_inline;

	destroy(&sender);
	destroy(&receiver);
	next_id = 1;
	type = (enum ibv_qp_type)sizes[TYPE];
	by_batch = sizes[WAY];
	max_inline = create(&sender, sizes);
	create(&receiver, sizes);
	want(!ibv_query_port(context, PORT, &port), "ibv_query_port");
	if (!handles[0])
		make_handles(port.lid);
	connect_to(&sender, &receiver, 0x1000, 0x2000, port.lid);
	connect_to(&receiver, &sender, 0x2000, 0x1000, port.lid);
	printf("pair %u %u %u %u %u %" PRIu64 " %" PRIu64 " %u %u %u %u %u %u\n", sender.qp->qp_num,
	       receiver.qp->qp_num, local->lkey, remote->rkey, window->rkey,
	       (uint64_t)(uintptr_t)local->addr, (uint64_t)(uintptr_t)remote->addr,
	       sender.ring.sq.wqe_cnt, receiver.ring.rq.wqe_cnt, receiver.ring.rq.stride,
	       sender.queue.cqe_cnt, receiver.queue.cqe_cnt, max_inline);
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
		if (type == IBV_QPT_UD) {
			wr->wr.ud.ah = handles[offset % HANDLES];
			wr->wr.ud.remote_qpn = receiver.qp->qp_num;
			wr->wr.ud.remote_qkey = QKEY;
			break;
		}
		wr->wr.rdma.remote_addr = (uintptr_t)remote->addr + offset;
		wr->wr.rdma.rkey = remote->rkey;
	}
}

/* The same request as calls of a batch. */
static void add(struct ibv_qp_ex *qpx, const struct ibv_send_wr *wr, uint32_t imm)
{
	const struct ibv_sge *sges = wr->sg_list;
	struct ibv_mw_bind_info bind;
	struct ibv_data_buf buffers[SGES];
	int is_single = wr->num_sge == 1 && !(imm & 1);

	qpx->wr_id = wr->wr_id;
	qpx->wr_flags = wr->send_flags & ~IBV_SEND_INLINE;
	switch (wr->opcode) {
	case IBV_WR_RDMA_WRITE:
		ibv_wr_rdma_write(qpx, wr->wr.rdma.rkey, wr->wr.rdma.remote_addr);
		break;
	case IBV_WR_RDMA_WRITE_WITH_IMM:
		ibv_wr_rdma_write_imm(qpx, wr->wr.rdma.rkey, wr->wr.rdma.remote_addr, wr->imm_data);
		break;
	case IBV_WR_RDMA_READ:
		ibv_wr_rdma_read(qpx, wr->wr.rdma.rkey, wr->wr.rdma.remote_addr);
		break;
	case IBV_WR_SEND:
		ibv_wr_send(qpx);
		break;
	case IBV_WR_SEND_WITH_IMM:
		ibv_wr_send_imm(qpx, wr->imm_data);
		break;
	case IBV_WR_SEND_WITH_INV:
		ibv_wr_send_inv(qpx, wr->invalidate_rkey);
		break;
	case IBV_WR_ATOMIC_CMP_AND_SWP:
		ibv_wr_atomic_cmp_swp(qpx, wr->wr.atomic.rkey, wr->wr.atomic.remote_addr,
				      wr->wr.atomic.compare_add, wr->wr.atomic.swap);
		break;
	case IBV_WR_ATOMIC_FETCH_AND_ADD:
		ibv_wr_atomic_fetch_add(qpx, wr->wr.atomic.rkey, wr->wr.atomic.remote_addr,
					wr->wr.atomic.compare_add);
		break;
	case IBV_WR_LOCAL_INV:
		ibv_wr_local_inv(qpx, wr->invalidate_rkey);
		return;
	case IBV_WR_BIND_MW:
		bind = wr->bind_mw.bind_info;
		bind.mw_access_flags &= ~IBV_ACCESS_ZERO_BASED;
		ibv_wr_bind_mw(qpx, window, wr->bind_mw.rkey, &bind);
		return;
	default:
		fprintf(stderr, "post_grid: a batch has no opcode %d\n", wr->opcode);
		exit(1);
	}
	if (type == IBV_QPT_UD)
		ibv_wr_set_ud_addr(qpx, wr->wr.ud.ah, wr->wr.ud.remote_qpn, wr->wr.ud.remote_qkey);
	for (int i = 0; i < wr->num_sge; i++) {
		buffers[i].addr = (void *)(uintptr_t)sges[i].addr;
		buffers[i].length = sges[i].length;
	}
	if (wr->send_flags & IBV_SEND_INLINE && is_single)
		ibv_wr_set_inline_data(qpx, buffers[0].addr, buffers[0].length);
	else if (wr->send_flags & IBV_SEND_INLINE)
		ibv_wr_set_inline_data_list(qpx, wr->num_sge, buffers);
	else if (is_single)
		ibv_wr_set_sge(qpx, sges[0].lkey, sges[0].addr, sges[0].length);
	else
		ibv_wr_set_sge_list(qpx, wr->num_sge, sges);
}

static void do_send(FILE *cases, int count)
{
	static struct ibv_sge sges[MOST][SGES];
	struct ibv_mw mws[MOST] = {};
	uint32_t imms[MOST];
	struct ibv_send_wr wrs[MOST] = {}, *bad = NULL;
	int error;

	want(count <= MOST, "too many requests for this program");
	for (int i = 0; i < count; i++) {
		expect_line(cases, "wr");
		wrs[i].wr_id = next_id++;
		wrs[i].opcode = (enum ibv_wr_opcode)number();
		wrs[i].send_flags = (unsigned int)number();
		imms[i] = (uint32_t)number();
		operands(&wrs[i], &mws[i], imms[i], number());
		wrs[i].sg_list = sges[i];
		wrs[i].num_sge = elements(sges[i], local);
		wrs[i].next = i + 1 < count ? &wrs[i + 1] : NULL;
	}
	if (by_batch) {
		struct ibv_qp_ex *qpx = ibv_qp_to_qp_ex(sender.qp);

		ibv_wr_start(qpx);
		for (int i = 0; i < count; i++)
			add(qpx, &wrs[i], imms[i]);
		error = ibv_wr_complete(qpx);
		bad = wrs;
	} else {
		error = ibv_post_send(sender.qp, wrs, &bad);
	}
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
				printf("%u", be32toh(wcs[i].imm_data));
			else
				printf("-");
			if (type == IBV_QPT_UD && wcs[i].opcode & IBV_WC_RECV)
				printf(" %d %d %d %d", !!(wcs[i].wc_flags & IBV_WC_GRH),
				       wcs[i].src_qp == sender.qp->qp_num, wcs[i].slid, wcs[i].sl);
			putchar('\n');
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
	window = ibv_alloc_mw(pd, IBV_MW_TYPE_2);
	want(window != NULL, "ibv_alloc_mw");
	while ((word = next_line(cases))) {
		if (!strcmp(word, "pair")) {
			int sizes[SIZES];

			for (int i = 0; i < SIZES; i++)
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
