/* Makes the calls of one case through libibverbs and libmlx5, for callgrind to count.
 *
 * post_count DEVICE CASE CALLS
 *
 * Counted is what happens in measured_call and measured_call_poll: one call of a verb, from its first
 * instruction to its return. Everything else, waiting for the card above all, happens outside.
 * examples/programs/twin is the same program on the driver of this repository.
 */
#define PROGRAM "post_count"
#include "device.h"
#include <infiniband/mlx5dv.h>
#include <time.h>

enum { LENGTH = 4096, PORT = 1, ENTRIES = 63, MOST = 32, WARM = 3, PATIENCE = 60, ELEMENTS = 3 };

/* What a work request is like. */
enum form { PLAIN, INLINE, IMMEDIATE, SEVERAL };

struct side {
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	struct mlx5dv_cq queue;
	uint32_t polled;
};

static struct ibv_mr *local, *remote;
static struct side sender, receiver;
static struct ibv_wc wcs[MOST];

static __attribute__((noinline)) int measured_call(struct ibv_qp *qp, struct ibv_send_wr *wr,
						   struct ibv_send_wr **bad)
{
	return ibv_post_send(qp, wr, bad);
}

static __attribute__((noinline)) int measured_call_poll(struct ibv_cq *cq, int count,
							struct ibv_wc *into)
{
	return ibv_poll_cq(cq, count, into);
}

static struct ibv_mr *memory(int access)
{
	void *bytes = aligned_alloc(4096, LENGTH);
	struct ibv_mr *mr;

	want(bytes != NULL, "memory");
	memset(bytes, 0, LENGTH);
	mr = ibv_reg_mr(pd, bytes, LENGTH, access);
	want(mr != NULL, "ibv_reg_mr");
	return mr;
}

static void create(struct side *side)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = IBV_QPT_RC,
		.cap = { .max_send_wr = 64, .max_recv_wr = 1, .max_send_sge = ELEMENTS, .max_recv_sge = 1,
			 .max_inline_data = 32 },
	};
	struct mlx5dv_obj obj = {};

	side->cq = ibv_create_cq(context, ENTRIES, NULL, NULL, 0);
	want(side->cq != NULL, "ibv_create_cq");
	attr.send_cq = attr.recv_cq = side->cq;
	side->qp = ibv_create_qp(pd, &attr);
	want(side->qp != NULL, "ibv_create_qp");
	obj.cq.in = side->cq;
	obj.cq.out = &side->queue;
	want(!mlx5dv_init_obj(&obj, MLX5DV_OBJ_CQ), "mlx5dv_init_obj");
}

static void connect_to(struct side *own, struct side *other, int lid)
{
	struct ibv_qp_attr attr = {
		.qp_state = IBV_QPS_INIT, .port_num = PORT,
		.qp_access_flags = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE |
				   IBV_ACCESS_REMOTE_READ,
		.path_mtu = IBV_MTU_1024, .dest_qp_num = other->qp->qp_num,
		.max_dest_rd_atomic = 1, .min_rnr_timer = 12,
		.ah_attr = { .dlid = lid, .port_num = PORT },
		.timeout = 14, .retry_cnt = 7, .rnr_retry = 7, .max_rd_atomic = 1,
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

/* Waits until the card has written the CQE that the count-th poll from now will find. */
static void wait_for(struct side *side, uint32_t count)
{
	uint32_t index = side->polled + count - 1;
	uint32_t place = index & (side->queue.cqe_cnt - 1);
	volatile uint8_t *op_own = (uint8_t *)side->queue.buf + place * side->queue.cqe_size + 63;
	uint8_t turn = !!(index & side->queue.cqe_cnt);
	time_t until = time(NULL) + PATIENCE;

	while (*op_own >> 4 == 15 || (*op_own & 1) != turn)
		want(time(NULL) < until, "waiting for a completion");
}

/* A poll that must find so many. */
static void poll(struct side *side, int count, int is_measured)
{
	int found;

	wait_for(side, count);
	found = is_measured ? measured_call_poll(side->cq, count, wcs)
			    : ibv_poll_cq(side->cq, count, wcs);
	want(found == count, "polling");
	for (int i = 0; i < count; i++)
		want(wcs[i].status == IBV_WC_SUCCESS, "a work request");
	side->polled += count;
}

/* A call that posts so many, and their completions. */
static void post(int count, enum form form, int measure_post, int measure_poll)
{
	struct ibv_sge sge = { .addr = (uintptr_t)local->addr, .length = form == INLINE ? 32 : 64,
			       .lkey = local->lkey };
	struct ibv_sge sges[ELEMENTS] = { sge, sge, sge };
	enum ibv_wr_opcode opcode = form == INLINE ? IBV_WR_SEND :
				    form == IMMEDIATE ? IBV_WR_SEND_WITH_IMM : IBV_WR_RDMA_WRITE;
	int is_received = opcode != IBV_WR_RDMA_WRITE;
	struct ibv_send_wr wrs[MOST] = {}, *bad;
	struct ibv_sge into = { .addr = (uintptr_t)remote->addr, .length = 64, .lkey = remote->lkey };
	struct ibv_recv_wr receive = { .sg_list = &into, .num_sge = 1 }, *bad_receive;

	for (int i = 0; i < count; i++) {
		wrs[i].wr_id = 7;
		wrs[i].sg_list = sges;
		wrs[i].num_sge = form == SEVERAL ? ELEMENTS : 1;
		wrs[i].opcode = opcode;
		wrs[i].send_flags = IBV_SEND_SIGNALED | (form == INLINE ? IBV_SEND_INLINE : 0);
		wrs[i].wr.rdma.remote_addr = (uintptr_t)remote->addr;
		wrs[i].wr.rdma.rkey = remote->rkey;
		wrs[i].next = i + 1 < count ? &wrs[i + 1] : NULL;
	}
	if (is_received)
		want(!ibv_post_recv(receiver.qp, &receive, &bad_receive), "ibv_post_recv");
	want(!(measure_post ? measured_call(sender.qp, wrs, &bad)
			    : ibv_post_send(sender.qp, wrs, &bad)), "ibv_post_send");
	poll(&sender, count, measure_poll);
	if (is_received)
		poll(&receiver, 1, 0);
}

static void run(const char *name, int measure)
{
	if (!strcmp(name, "write"))
		post(1, PLAIN, measure, 0);
	else if (!strcmp(name, "list"))
		post(32, PLAIN, measure, 0);
	else if (!strcmp(name, "inline"))
		post(1, INLINE, measure, 0);
	else if (!strcmp(name, "immediate"))
		post(1, IMMEDIATE, measure, 0);
	else if (!strcmp(name, "elements"))
		post(1, SEVERAL, measure, 0);
	else if (!strcmp(name, "poll-1"))
		post(1, PLAIN, 0, measure);
	else if (!strcmp(name, "poll-16"))
		post(16, PLAIN, 0, measure);
	else if (!strcmp(name, "poll-empty"))
		want((measure ? measured_call_poll(sender.cq, 1, wcs)
			      : ibv_poll_cq(sender.cq, 1, wcs)) == 0, "polling");
	else
		want(0, "finding the case");
}

int main(int argc, char **argv)
{
	struct ibv_port_attr port;

	want(argc == 4, "usage: post_count DEVICE CASE CALLS");
	open_device(argv[1]);
	local = memory(IBV_ACCESS_LOCAL_WRITE);
	remote = memory(IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE);
	create(&sender);
	create(&receiver);
	want(!ibv_query_port(context, PORT, &port), "ibv_query_port");
	connect_to(&sender, &receiver, port.lid);
	connect_to(&receiver, &sender, port.lid);
	/* The first calls bind symbols. */
	for (int i = 0; i < WARM; i++)
		run(argv[2], 0);
	for (int i = 0; i < atoi(argv[3]); i++)
		run(argv[2], 1);
	return 0;
}
