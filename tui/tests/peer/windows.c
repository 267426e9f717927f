/* Opens and closes memory windows of both types through libibverbs and libmlx5, and prints what comes of it.
 *
 * windows DEVICE
 *
 * The receiver binds a window onto a part of its memory, and the sender uses its key. The answer, besides the
 * lines that tell which files of the libraries run:
 *
 *   CASE sender|receiver WR_ID STATUS VENDOR_ERR    a completion
 *   CASE wrote COUNT            bytes of the receiver's memory that are the sender's now
 *   CASE invalidated RIGHT      the receive that completed names the window's key: 1
 *
 * `twin windows` of examples/programs/twin is the same program on the driver of this repository.
 */
#define PROGRAM "windows"
#include "pair.h"

enum { BEGIN = 256, SIZE = 64, BIND = 201, INVALIDATE = 202, UNBIND = 203 };

static const int SHOWABLE = IBV_ACCESS_LOCAL_WRITE | IBV_ACCESS_REMOTE_WRITE | IBV_ACCESS_MW_BIND;

static struct ibv_mw *mw;

static void begin(enum ibv_mw_type kind, int access)
{
	make_connected(IBV_QPT_RC, access);
	mw = ibv_alloc_mw(pd, kind);
	want(mw != NULL, "ibv_alloc_mw");
}

static void end(void)
{
	want(!ibv_dealloc_mw(mw), "ibv_dealloc_mw");
}

static struct ibv_mw_bind_info part(int length, int access)
{
	return (struct ibv_mw_bind_info){ receiver.mr, (uintptr_t)receiver.mr->addr + BEGIN, length, access };
}

/* Type 1: libmlx5 makes the new key. */
static void bind_one(uint64_t id, int length, int access)
{
	struct ibv_mw_bind bind = { id, IBV_SEND_SIGNALED, part(length, access) };

	want(!ibv_bind_mw(receiver.qp, mw, &bind), "ibv_bind_mw");
}

static void post_of_receiver(struct ibv_send_wr *wr)
{
	struct ibv_send_wr *bad = NULL;

	want(!ibv_post_send(receiver.qp, wr, &bad), "ibv_post_send");
}

/* Type 2: the program makes the new key. */
static void bind_two(int length, int access)
{
	uint32_t key = ibv_inc_rkey(mw->rkey);
	struct ibv_send_wr wr = {
		.wr_id = BIND, .opcode = IBV_WR_BIND_MW, .send_flags = IBV_SEND_SIGNALED,
		.bind_mw = { mw, key, part(length, access) },
	};

	post_of_receiver(&wr);
	mw->rkey = key;
}

static void write_to(int offset, uint32_t key)
{
	static uint64_t id;
	struct request one;

	request(&one, ++id, IBV_WR_RDMA_WRITE, SIZE);
	one.wr.wr.rdma.remote_addr = (uintptr_t)receiver.mr->addr + offset;
	one.wr.wr.rdma.rkey = key;
	must_post(&one);
}

static void tell_written(const char *name)
{
	const volatile uint8_t *bytes = receiver.mr->addr;
	int count = 0;

	for (int i = 0; i < LENGTH; i++)
		count += bytes[i] == 1;
	printf("%s wrote %d\n", name, count);
}

static void window_one(void)
{
	uint32_t old;

	begin(IBV_MW_TYPE_1, SHOWABLE);
	bind_one(BIND, SIZE, IBV_ACCESS_REMOTE_WRITE);
	tell("one-used", 0, 1);
	write_to(BEGIN, mw->rkey);
	tell("one-used", 1, 0);
	tell_written("one-used");
	end();

	begin(IBV_MW_TYPE_1, SHOWABLE);
	bind_one(BIND, SIZE, IBV_ACCESS_REMOTE_WRITE);
	tell("one-outside", 0, 1);
	write_to(BEGIN + 1, mw->rkey);
	tell("one-outside", 1, 0);
	tell_written("one-outside");
	end();

	begin(IBV_MW_TYPE_1, SHOWABLE);
	bind_one(BIND, SIZE, IBV_ACCESS_REMOTE_READ);
	tell("one-no-right", 0, 1);
	write_to(BEGIN, mw->rkey);
	tell("one-no-right", 1, 0);
	tell_written("one-no-right");
	end();

	begin(IBV_MW_TYPE_1, SHOWABLE);
	bind_one(BIND, SIZE, IBV_ACCESS_REMOTE_WRITE);
	tell("one-unbound", 0, 1);
	old = mw->rkey;
	bind_one(UNBIND, 0, 0);
	tell("one-unbound", 0, 1);
	write_to(BEGIN, old);
	tell("one-unbound", 1, 0);
	tell_written("one-unbound");
	end();
}

static void window_two(void)
{
	struct ibv_send_wr invalidate = {
		.wr_id = INVALIDATE, .opcode = IBV_WR_LOCAL_INV, .send_flags = IBV_SEND_SIGNALED,
	};

	begin(IBV_MW_TYPE_2, SHOWABLE);
	bind_two(SIZE, IBV_ACCESS_REMOTE_WRITE);
	tell("two-used", 0, 1);
	write_to(BEGIN, mw->rkey);
	tell("two-used", 1, 0);
	tell_written("two-used");
	invalidate.invalidate_rkey = mw->rkey;
	post_of_receiver(&invalidate);
	tell("two-invalidated", 0, 1);
	write_to(BEGIN, mw->rkey);
	tell("two-invalidated", 1, 0);
	end();

	begin(IBV_MW_TYPE_2, SHOWABLE);
	bind_two(SIZE, IBV_ACCESS_REMOTE_WRITE);
	tell("two-outside", 0, 1);
	write_to(BEGIN + 1, mw->rkey);
	tell("two-outside", 1, 0);
	tell_written("two-outside");
	end();
}

/* The sender closes the window with a message. */
static void window_two_remote(void)
{
	const char *name = "two-invalidated-by-send";
	struct ibv_wc wc = {};
	struct request one;

	begin(IBV_MW_TYPE_2, SHOWABLE);
	bind_two(SIZE, IBV_ACCESS_REMOTE_WRITE);
	tell(name, 0, 1);
	post_receive(SIZE, 0);
	request(&one, 301, IBV_WR_SEND_WITH_INV, SIZE)->wr.invalidate_rkey = mw->rkey;
	must_post(&one);
	tell(name, 1, 0);
	for (time_t until = time(NULL) + PATIENCE; !ibv_poll_cq(receiver.cq, 1, &wc);)
		want(time(NULL) < until, name);
	printf("%s invalidated %d\n", name,
	       wc.status == IBV_WC_SUCCESS && wc.wc_flags & IBV_WC_WITH_INV && wc.invalidated_rkey == mw->rkey);
	write_to(BEGIN, mw->rkey);
	tell(name, 1, 0);
	end();
}

/* The window would be longer than what is left of the region. */
static void refused_bind(void)
{
	begin(IBV_MW_TYPE_2, SHOWABLE);
	bind_two(LENGTH, IBV_ACCESS_REMOTE_WRITE);
	tell("two-refused", 0, 1);
	end();
}

int main(int argc, char **argv)
{
	want(argc == 2, "usage: windows DEVICE");
	open_port(argv[1]);
	say_libraries();
	window_one();
	window_two();
	window_two_remote();
	refused_bind();
	destroy(&sender);
	destroy(&receiver);
	return 0;
}
