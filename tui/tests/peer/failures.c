/* Makes posts fail in every way through libibverbs and libmlx5, and prints how it is told.
 *
 * failures DEVICE
 *
 * The answer, a line for each thing that is told:
 *
 *   library FILE                           of libibverbs and libmlx5, as they are mapped
 *   NAME post ERRNO                        what ibv_post_send returned
 *   NAME modify ERRNO                      what ibv_modify_qp returned
 *   NAME sender|receiver WR_ID STATUS VENDOR_ERR    a completion
 *   NAME elsewhere                         it needs another card
 *   NAME nothing                           no failure at all
 *
 * The names are those of the scenarios of the failure gallery, and of some more cases. `twin fail` of
 * examples/programs/twin is the same program on the driver of this repository.
 */
#define PROGRAM "failures"
#include "pair.h"

enum { MANY = 1000, SPOILS = 0x00ffff00, EMPTY = 15 };

/* A window of one byte too many. */
static const uint64_t TOO_LONG = (UINT64_C(1) << 31) + 1;

static void tell_post(const char *name, int error)
{
	if (error)
		printf("%s post %d\n", name, error);
	else
		printf("%s nothing\n", name);
}

/* Posts until it fails; in between it polls, or not. */
static void fill_queue(const char *name, int flags, int polls)
{
	struct request one;
	int error = 0;

	make_connected(IBV_QPT_RC, BOTH);
	request(&one, 1, IBV_WR_RDMA_WRITE, 64)->wr.send_flags = flags;
	for (int i = 0; i < MANY && !error; i++) {
		struct ibv_wc wc;

		error = post(&one);
		want(!polls || !ibv_poll_cq(sender.cq, 1, &wc), "a completion of what was not signalled");
	}
	tell_post(name, error);
}

static void refused_posts(void)
{
	struct ibv_mw_bind bind = { .wr_id = 1, .send_flags = IBV_SEND_SIGNALED };
	struct ibv_qp_attr attr;
	struct ibv_mw *mw;
	struct request one;

	fill_queue("enomem-queue-full", IBV_SEND_SIGNALED, 0);
	fill_queue("queue-of-unsignalled", 0, 1);

	make(IBV_QPT_RC, BOTH);
	attr = attributes(&receiver, patient);
	to_init(&sender, &attr);
	want(!to_rtr(&sender, &attr), "INIT to RTR");
	tell_post("enomem-before-rts", post(request(&one, 1, IBV_WR_RDMA_WRITE, 64)));

	make_connected(IBV_QPT_RC, BOTH | IBV_ACCESS_MW_BIND);
	mw = ibv_alloc_mw(pd, IBV_MW_TYPE_1);
	want(mw != NULL, "ibv_alloc_mw");
	bind.bind_info = (struct ibv_mw_bind_info){ sender.mr, (uintptr_t)sender.mr->addr, TOO_LONG,
						    IBV_ACCESS_REMOTE_WRITE };
	tell_post("eopnotsupp-window", ibv_bind_mw(sender.qp, mw, &bind));
	want(!ibv_dealloc_mw(mw), "ibv_dealloc_mw");

	make_connected(IBV_QPT_RC, BOTH);
	request(&one, 1, IBV_WR_RDMA_WRITE, 20)->wr.num_sge = 3;
	tell_post("enomem-too-many-sges", post(&one));

	make_connected(IBV_QPT_RC, BOTH);
	request(&one, 1, IBV_WR_RDMA_WRITE, 512)->wr.send_flags |= IBV_SEND_INLINE;
	tell_post("enomem-inline-too-long", post(&one));

	/* Beyond libmlx5's table; and in it, but nothing that this transport has. */
	make_connected(IBV_QPT_UC, BOTH);
	request(&one, 1, (enum ibv_wr_opcode)100, 64);
	tell_post("einval-opcode-beyond", post(&one));
	must_post(request(&one, 1, IBV_WR_RDMA_READ, 64));
	tell("einval-opcode", 1, 0);
}

/* The way to the other side begins at an entry of the GID table that is empty. */
static void refused_transition(void)
{
	struct ibv_qp_attr attr;
	int error;

	make(IBV_QPT_RC, BOTH);
	attr = attributes(&receiver, patient);
	attr.ah_attr.is_global = 1;
	attr.ah_attr.grh.dgid = gid;
	attr.ah_attr.grh.sgid_index = EMPTY;
	to_init(&sender, &attr);
	error = to_rtr(&sender, &attr);
	if (error)
		printf("init-to-rtr modify %d\n", error);
	else
		printf("init-to-rtr nothing\n");
}

static void wrong_keys(void)
{
	struct request one;

	make_connected(IBV_QPT_RC, BOTH);
	request(&one, 1, IBV_WR_RDMA_WRITE, 64)->sges[0].lkey ^= SPOILS;
	must_post(&one);
	tell("wrong-lkey", 1, 0);

	make_connected(IBV_QPT_RC, BOTH);
	request(&one, 1, IBV_WR_RDMA_WRITE, 64)->wr.wr.rdma.rkey ^= SPOILS;
	must_post(&one);
	tell("wrong-rkey", 1, 0);
}

static void absent_peers(void)
{
	struct request one;

	make(IBV_QPT_RC, BOTH);
	connect_side(&sender, &receiver, (struct patience){ 14, 7, 3 });
	connect_side(&receiver, &sender, patient);
	must_post(request(&one, 1, IBV_WR_SEND, 64));
	tell("no-receive", 1, 0);

	make(IBV_QPT_RC, BOTH);
	connect_side(&sender, &receiver, (struct patience){ 8, 3, 7 });
	must_post(request(&one, 1, IBV_WR_RDMA_WRITE, 64));
	tell("silent-peer", 1, 0);
}

/* What is not in the gallery. */
static void more(void)
{
	struct request one;

	make_connected(IBV_QPT_RC, BOTH);
	request(&one, 1, IBV_WR_RDMA_WRITE, 64)->sges[0].lkey ^= SPOILS;
	must_post(&one);
	must_post(request(&one, 2, IBV_WR_RDMA_WRITE, 64));
	must_post(request(&one, 3, IBV_WR_SEND, 64));
	tell("flushed", 3, 0);

	make_connected(IBV_QPT_RC, BOTH);
	post_receive(16, 0);
	must_post(request(&one, 1, IBV_WR_SEND, 64));
	tell("receive-too-short", 1, 1);

	make_connected(IBV_QPT_RC, BOTH);
	post_receive(64, SPOILS);
	must_post(request(&one, 1, IBV_WR_SEND, 64));
	tell("receive-without-key", 1, 1);

	make_connected(IBV_QPT_RC, IBV_ACCESS_LOCAL_WRITE);
	must_post(request(&one, 1, IBV_WR_RDMA_WRITE, 64));
	tell("no-right", 1, 0);

	make_connected(IBV_QPT_RC, BOTH | IBV_ACCESS_REMOTE_ATOMIC);
	request(&one, 1, IBV_WR_ATOMIC_FETCH_AND_ADD, 8);
	one.wr.wr.atomic.remote_addr = (uintptr_t)receiver.mr->addr + 4;
	one.wr.wr.atomic.compare_add = 1;
	one.wr.wr.atomic.rkey = receiver.mr->rkey;
	must_post(&one);
	tell("misaligned-atomic", 1, 0);
}

int main(int argc, char **argv)
{
	want(argc == 2, "usage: failures DEVICE");
	open_port(argv[1]);
	say_libraries();
	refused_posts();
	refused_transition();
	wrong_keys();
	absent_peers();
	more();
	destroy(&sender);
	destroy(&receiver);
	return 0;
}
