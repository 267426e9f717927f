/* What the programs have in common that make two queue pairs talk and print what is told: included by each of
 * them, which names itself in PROGRAM. */
#include "device.h"
#include <inttypes.h>
#include <time.h>

enum { LENGTH = 4096, PORT = 1, PATIENCE = 60, RECEIVE = 101 };

enum { BOTH = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE };

struct side {
	struct ibv_qp *qp;
	struct ibv_cq *cq;
	struct ibv_mr *mr;
};

/* How long a sender waits, and how often it tries again. */
struct patience {
	int timeout, retry, rnr_retry;
};

static const struct patience patient = { 14, 7, 7 };

static struct side sender, receiver;
static enum ibv_qp_type type = IBV_QPT_RC;
static union ibv_gid gid;
static int lid;

/* The device, and how its port is addressed. */
static inline void open_port(const char *name)
{
	struct ibv_port_attr port;

	open_device(name);
	want(!ibv_query_port(context, PORT, &port), "ibv_query_port");
	want(!ibv_query_gid(context, PORT, 0, &gid), "ibv_query_gid");
	lid = port.lid;
}

static inline void create(struct side *side, int access, int sges)
{
	struct ibv_qp_init_attr attr = {
		.qp_type = type,
		.cap = { .max_send_wr = 4, .max_recv_wr = 4, .max_send_sge = sges, .max_recv_sge = 1,
			 .max_inline_data = 32 },
	};
	void *bytes = aligned_alloc(4096, LENGTH);

	want(bytes != NULL, "memory");
	memset(bytes, side == &sender ? 1 : 2, LENGTH);
	side->mr = ibv_reg_mr(pd, bytes, LENGTH, access);
	want(side->mr != NULL, "ibv_reg_mr");
	side->cq = ibv_create_cq(context, 8, NULL, NULL, 0);
	want(side->cq != NULL, "ibv_create_cq");
	attr.send_cq = attr.recv_cq = side->cq;
	side->qp = ibv_create_qp(pd, &attr);
	want(side->qp != NULL, "ibv_create_qp");
}

static inline void destroy(struct side *side)
{
	void *bytes;

	if (!side->qp)
		return;
	bytes = side->mr->addr;
	want(!ibv_destroy_qp(side->qp) && !ibv_destroy_cq(side->cq) && !ibv_dereg_mr(side->mr), "destroy");
	free(bytes);
	memset(side, 0, sizeof *side);
}

/* Two queue pairs that are not connected, in place of the last two. */
static inline void make(enum ibv_qp_type of_type, int remote_access)
{
	destroy(&sender);
	destroy(&receiver);
	type = of_type;
	create(&sender, IBV_ACCESS_LOCAL_WRITE, 1);
	create(&receiver, remote_access, 1);
}

static inline struct ibv_qp_attr attributes(const struct side *other, struct patience patience)
{
	return (struct ibv_qp_attr){
		.port_num = PORT,
		.qp_access_flags = BOTH | (type == IBV_QPT_RC ? IBV_ACCESS_REMOTE_READ |
					   IBV_ACCESS_REMOTE_ATOMIC : 0),
		.path_mtu = IBV_MTU_1024, .dest_qp_num = other->qp->qp_num, .rq_psn = 0x1000,
		.max_dest_rd_atomic = 1, .min_rnr_timer = 12,
		.ah_attr = { .dlid = lid, .port_num = PORT },
		.timeout = patience.timeout, .retry_cnt = patience.retry,
		.rnr_retry = patience.rnr_retry, .sq_psn = 0x1000, .max_rd_atomic = 1,
	};
}

static inline void to_init(struct side *own, struct ibv_qp_attr *attr)
{
	attr->qp_state = IBV_QPS_INIT;
	want(!ibv_modify_qp(own->qp, attr, IBV_QP_STATE | IBV_QP_PKEY_INDEX | IBV_QP_PORT |
			    IBV_QP_ACCESS_FLAGS), "RESET to INIT");
}

static inline int to_rtr(struct side *own, struct ibv_qp_attr *attr)
{
	int serving = IBV_QP_MAX_DEST_RD_ATOMIC | IBV_QP_MIN_RNR_TIMER;

	attr->qp_state = IBV_QPS_RTR;
	return ibv_modify_qp(own->qp, attr, IBV_QP_STATE | IBV_QP_AV | IBV_QP_PATH_MTU |
			     IBV_QP_DEST_QPN | IBV_QP_RQ_PSN | (type == IBV_QPT_RC ? serving : 0));
}

static inline void connect_side(struct side *own, struct side *other, struct patience patience)
{
	struct ibv_qp_attr attr = attributes(other, patience);
	int waiting = IBV_QP_TIMEOUT | IBV_QP_RETRY_CNT | IBV_QP_RNR_RETRY | IBV_QP_MAX_QP_RD_ATOMIC;

	to_init(own, &attr);
	want(!to_rtr(own, &attr), "INIT to RTR");
	attr.qp_state = IBV_QPS_RTS;
	want(!ibv_modify_qp(own->qp, &attr, IBV_QP_STATE | IBV_QP_SQ_PSN |
			    (type == IBV_QPT_RC ? waiting : 0)), "RTR to RTS");
}

static inline void make_connected(enum ibv_qp_type of_type, int remote_access)
{
	make(of_type, remote_access);
	connect_side(&sender, &receiver, patient);
	connect_side(&receiver, &sender, patient);
}

/* One request with the first bytes of the local buffer. What is wrong with it, the callers change. */
struct request {
	struct ibv_send_wr wr;
	struct ibv_sge sges[4];
};

static inline struct request *request(struct request *request, uint64_t id, enum ibv_wr_opcode opcode, int length)
{
	memset(request, 0, sizeof *request);
	for (int i = 0; i < 4; i++)
		request->sges[i] = (struct ibv_sge){ (uintptr_t)sender.mr->addr, length, sender.mr->lkey };
	request->wr = (struct ibv_send_wr){
		.wr_id = id, .opcode = opcode, .send_flags = IBV_SEND_SIGNALED,
		.sg_list = request->sges, .num_sge = 1,
		.wr.rdma = { (uintptr_t)receiver.mr->addr, receiver.mr->rkey },
	};
	return request;
}

static inline int post(struct request *request)
{
	struct ibv_send_wr *bad = NULL;

	return ibv_post_send(sender.qp, &request->wr, &bad);
}

static inline void must_post(struct request *request)
{
	want(!post(request), "ibv_post_send");
}

static inline void post_receive(int length, uint32_t spoils)
{
	struct ibv_sge sge = { (uintptr_t)receiver.mr->addr, length, receiver.mr->lkey ^ spoils };
	struct ibv_recv_wr wr = { .wr_id = RECEIVE, .sg_list = &sge, .num_sge = 1 }, *bad;

	want(!ibv_post_recv(receiver.qp, &wr, &bad), "ibv_post_recv");
}

static inline void tell_side(const char *name, const char *who, struct side *side, int count)
{
	time_t until = time(NULL) + PATIENCE;

	for (int done = 0; done < count;) {
		struct ibv_wc wc = {};
		int polled = ibv_poll_cq(side->cq, 1, &wc);

		want(polled >= 0, "ibv_poll_cq");
		if (polled)
			printf("%s %s %" PRIu64 " %d 0x%x\n", name, who, wc.wr_id, wc.status, wc.vendor_err);
		else if (time(NULL) > until)
			want(0, name);
		done += polled;
	}
}

static inline void tell(const char *name, int of_sender, int of_receiver)
{
	tell_side(name, "sender", &sender, of_sender);
	tell_side(name, "receiver", &receiver, of_receiver);
}
