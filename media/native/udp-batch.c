/* Many UDP sockets for little: one call receives whatever has come on all of them, one call sends a batch. Node reads
 * every datagram by itself, with an allocation of 64 kB and two system calls each, and wakes up for each; with a thousand
 * calls at 50 packets a second that is most of what a mix costs. Where the system lets us have an io_uring, 64 datagrams cost
 * one system call; elsewhere (seccomp of containers, old kernels) one each. Linux, IPv4. See media/legs/batch-udp.ts.
 *
 * Needs no headers but those of the C library (see node-api.h):
 *   cc -O2 -shared -fPIC -o udp-batch.node udp-batch.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if defined __has_include && defined SYS_io_uring_setup
#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#ifdef IORING_FEAT_NATIVE_WORKERS
#define HAS_RING
#endif
#endif
#endif

#include "node-api.h"

enum { READY = 512, MAX_DATAGRAM = 2048, RECEIVED_FIELDS = 6, SENT_FIELDS = 9, RTP_HEADER = 12, CHUNK = 64 };

static int epoll_fd = -1;

static struct sockaddr_in address_of(int32_t address, int32_t port) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  to.sin_addr.s_addr = htonl((uint32_t)address);
  return to;
}

/* (address, port) -> descriptor, or a negative errno. An address is its 32 bits as a signed number. */
static napi_value open_socket(napi_env env, napi_callback_info info) {
  napi_value args[2];
  size_t count = 2;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  if (epoll_fd < 0 && (epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0) return answer(env, -errno);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
  if (fd < 0) return answer(env, -errno);
  struct sockaddr_in own = address_of(int_of(env, args[0]), int_of(env, args[1]));
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  if (bind(fd, (struct sockaddr *)&own, sizeof own) || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
    int error = errno;
    close(fd);
    return answer(env, -error);
  }
  return answer(env, fd);
}

static napi_value close_socket(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  return answer(env, close(int_of(env, args[0])) ? -errno : 0);
}

/* (descriptor, address, port); port 0 lets go of the peer. */
static napi_value connect_socket(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  struct sockaddr_in to = address_of(int_of(env, args[1]), int_of(env, args[2]));
  if (to.sin_port == 0) to.sin_family = AF_UNSPEC;
  return answer(env, connect(int_of(env, args[0]), (struct sockaddr *)&to, sizeof to) ? -errno : 0);
}

/* A request of a chunk, done in one way or the other: its outcome is what recvmsg or send would have returned, or a negative
 * errno. All of them are done when `run_chunk` returns, so that nobody writes to memory that is ours again. */
static struct request {
  int socket, is_receiving;
  struct msghdr message;
  struct iovec vector;
  ssize_t outcome;
} chunk[CHUNK];

static void run_directly(size_t from, size_t to) {
  for (size_t i = from; i < to; i++) {
    struct request *one = &chunk[i];
    one->outcome = one->is_receiving ? recvmsg(one->socket, &one->message, MSG_DONTWAIT)
                                     : send(one->socket, one->vector.iov_base, one->vector.iov_len, MSG_DONTWAIT);
  }
}

#ifdef HAS_RING
enum { UNTRIED = -2, NONE = -1 };
static int is_ring_wanted = 1;
static struct {
  int fd;
  unsigned *submit_head, *submit_tail, submit_mask, *array, *done_head, *done_tail, done_mask;
  struct io_uring_sqe *submitted;
  struct io_uring_cqe *done;
} ring = {.fd = UNTRIED};

static void open_ring(void) {
  struct io_uring_params with = {0};
  ring.fd = (int)syscall(SYS_io_uring_setup, CHUNK, &with);
  /* Linux 5.12: everything that is asked of it here is there, and its memory is not counted as locked. */
  if (ring.fd < 0 || !(with.features & IORING_FEAT_NATIVE_WORKERS)) {
    if (ring.fd >= 0) close(ring.fd);
    ring.fd = NONE;
    return;
  }
  const int access = PROT_READ | PROT_WRITE, how = MAP_SHARED | MAP_POPULATE;
  size_t submit_size = with.sq_off.array + with.sq_entries * sizeof(unsigned);
  size_t done_size = with.cq_off.cqes + with.cq_entries * sizeof(struct io_uring_cqe);
  char *submit = mmap(NULL, submit_size, access, how, ring.fd, IORING_OFF_SQ_RING);
  char *done = mmap(NULL, done_size, access, how, ring.fd, IORING_OFF_CQ_RING);
  void *entries = mmap(NULL, with.sq_entries * sizeof(struct io_uring_sqe), access, how, ring.fd, IORING_OFF_SQES);
  if (submit == MAP_FAILED || done == MAP_FAILED || entries == MAP_FAILED) {
    if (submit != MAP_FAILED) munmap(submit, submit_size);
    if (done != MAP_FAILED) munmap(done, done_size);
    if (entries != MAP_FAILED) munmap(entries, with.sq_entries * sizeof(struct io_uring_sqe));
    close(ring.fd);
    ring.fd = NONE;
    return;
  }
  ring.submit_head = (unsigned *)(submit + with.sq_off.head);
  ring.submit_tail = (unsigned *)(submit + with.sq_off.tail);
  ring.submit_mask = *(unsigned *)(submit + with.sq_off.ring_mask);
  ring.array = (unsigned *)(submit + with.sq_off.array);
  ring.done_head = (unsigned *)(done + with.cq_off.head);
  ring.done_tail = (unsigned *)(done + with.cq_off.tail);
  ring.done_mask = *(unsigned *)(done + with.cq_off.ring_mask);
  ring.done = (struct io_uring_cqe *)(done + with.cq_off.cqes);
  ring.submitted = entries;
}

/* Takes note of what is done. Returns how many that were. */
static size_t reap(void) {
  unsigned head = *ring.done_head, tail = __atomic_load_n(ring.done_tail, __ATOMIC_ACQUIRE);
  size_t count = tail - head;
  for (; head != tail; head++) {
    const struct io_uring_cqe *one = &ring.done[head & ring.done_mask];
    if (one->user_data < CHUNK) chunk[one->user_data].outcome = one->res;
  }
  __atomic_store_n(ring.done_head, head, __ATOMIC_RELEASE);
  return count;
}

/* Returns how many of the chunk, from its beginning, were run: less where the ring does not work, which is given up then. */
static size_t run_by_ring(size_t count) {
  unsigned tail = *ring.submit_tail;
  for (size_t i = 0; i < count; i++, tail++) {
    struct request *one = &chunk[i];
    struct io_uring_sqe *entry = &ring.submitted[tail & ring.submit_mask];
    memset(entry, 0, sizeof *entry);
    entry->opcode = one->is_receiving ? IORING_OP_RECVMSG : IORING_OP_SEND;
    entry->fd = one->socket;
    entry->addr = one->is_receiving ? (uintptr_t)&one->message : (uintptr_t)one->vector.iov_base;
    entry->len = one->is_receiving ? 1 : (unsigned)one->vector.iov_len;
    entry->msg_flags = MSG_DONTWAIT;
    entry->user_data = i;
    ring.array[tail & ring.submit_mask] = tail & ring.submit_mask;
  }
  __atomic_store_n(ring.submit_tail, tail, __ATOMIC_RELEASE);
  size_t submitted = 0, done = 0;
  /* None of them waits for anything, so that this does not either. */
  for (int turn = 0; done < count && turn < 2 * CHUNK; turn++) {
    long took = syscall(SYS_io_uring_enter, ring.fd, count - submitted, count - done, IORING_ENTER_GETEVENTS, NULL, 0);
    if (took < 0 && errno != EINTR) break;
    if (took > 0) submitted += (size_t)took;
    done += reap();
  }
  if (done == count) return count;
  /* What the system has taken it has carried out, in turn; the rest is taken back. */
  size_t taken = count - (tail - __atomic_load_n(ring.submit_head, __ATOMIC_ACQUIRE));
  close(ring.fd);
  ring.fd = NONE;
  return taken;
}
#endif

static void run_chunk(size_t count) {
  size_t run = 0;
  for (size_t i = 0; i < count; i++) chunk[i].outcome = -1;
#ifdef HAS_RING
  if (is_ring_wanted && ring.fd == UNTRIED) open_ring();
  if (is_ring_wanted && ring.fd >= 0 && count > 1) run = run_by_ring(count);
#endif
  run_directly(run, count);
}

/* (wanted) -> whether the ring is used from now on. Both ways are tested and measured. */
static napi_value use_ring(napi_env env, napi_callback_info info) {
  napi_value args[1];
  size_t count = 1;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
#ifdef HAS_RING
  is_ring_wanted = int_of(env, args[0]);
  if (is_ring_wanted && ring.fd == UNTRIED) open_ring();
  return answer(env, is_ring_wanted && ring.fd >= 0);
#else
  return answer(env, 0);
#endif
}

static int64_t nanoseconds(struct timespec t) { return t.tv_sec * 1000000000LL + t.tv_nsec; }

/* The kernel's, in microseconds; 0 where it does not say. */
static int32_t age_of(struct msghdr *message, struct timespec now) {
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_TIMESTAMPNS) return 0;
  struct timespec at;
  memcpy(&at, CMSG_DATA(header), sizeof at);
  int64_t age = (nanoseconds(now) - nanoseconds(at)) / 1000;
  return age < 0 ? 0 : age > 1000000 ? 1000000 : (int32_t)age;
}

/* Takes one datagram of each socket that has some, then the next, until there is none: two system calls are spared for
 * each socket that had but one. (bytes, fields) -> how many datagrams; of each: descriptor, offset, length, age in microseconds, address, port. Ends when
 * either array is full: call again then. */
static napi_value receive(napi_env env, napi_callback_info info) {
  static struct epoll_event ready[READY];
  /* Not a power of two apart, which would be one line of the cache for all. */
  static struct arrival {
    struct sockaddr_in from;
    char control[CMSG_SPACE(sizeof(struct timespec))], bytes[MAX_DATAGRAM];
  } arrivals[CHUNK];
  napi_value args[2];
  size_t count = 2;
  void *bytes, *fields;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  size_t room = array_of(env, args[0], &bytes), rows = array_of(env, args[1], &fields) / RECEIVED_FIELDS;
  int32_t *row = fields;
  size_t used = 0, received = 0;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  while (epoll_fd >= 0) {
    int sockets = epoll_wait(epoll_fd, ready, READY, 0);
    if (sockets <= 0) break;
    for (size_t at = 0, wanted; at < (size_t)sockets; at += wanted) {
      size_t fitting = used > room ? 0 : (room - used) / MAX_DATAGRAM;
      if (fitting > rows - received) fitting = rows - received;
      if (fitting == 0) return answer(env, (int32_t)received);
      wanted = (size_t)sockets - at;
      if (wanted > CHUNK) wanted = CHUNK;
      if (wanted > fitting) wanted = fitting;
      for (size_t i = 0; i < wanted; i++) {
        struct request *one = &chunk[i];
        struct arrival *to = &arrivals[i];
        one->socket = ready[at + i].data.fd;
        one->is_receiving = 1;
        one->vector = (struct iovec){to->bytes, MAX_DATAGRAM};
        one->message = (struct msghdr){.msg_name = &to->from, .msg_namelen = sizeof to->from, .msg_iov = &one->vector, .msg_iovlen = 1, .msg_control = to->control, .msg_controllen = sizeof to->control};
      }
      run_chunk(wanted);
      for (size_t i = 0; i < wanted; i++) {
        struct request *one = &chunk[i];
        /* The ICMP of a peer that is not there: reading has cleared it. */
        if (one->outcome < 0 || one->outcome > MAX_DATAGRAM) continue;
        memcpy((char *)bytes + used, arrivals[i].bytes, (size_t)one->outcome);
        row[0] = one->socket;
        row[1] = (int32_t)used;
        row[2] = (int32_t)one->outcome;
        row[3] = age_of(&one->message, now);
        row[4] = (int32_t)ntohl(arrivals[i].from.sin_addr.s_addr);
        row[5] = ntohs(arrivals[i].from.sin_port);
        row += RECEIVED_FIELDS;
        received++;
        used += ((size_t)one->outcome + 7) & ~(size_t)7;
      }
    }
  }
  return answer(env, (int32_t)received);
}

static void put32(unsigned char *at, uint32_t value) {
  at[0] = (unsigned char)(value >> 24);
  at[1] = (unsigned char)(value >> 16);
  at[2] = (unsigned char)(value >> 8);
  at[3] = (unsigned char)value;
}

static int32_t send_chunk(size_t count) {
  int32_t taken = 0;
  if (count == 0) return 0;
  run_chunk(count);
  for (size_t i = 0; i < count; i++) taken += chunk[i].outcome >= 0;
  return taken;
}

/* (bytes, fields, rows) -> how many the system took; of each: descriptor, offset, length, address, port (0: connected), and
 * an RTP header to put before it: its first two bytes (0: none), sequence number, time stamp, SSRC. Many legs hear the same, so
 * that their packets share one payload. What is for an address goes at once: a socket is connected after it and not before. */
static napi_value send_batch(napi_env env, napi_callback_info info) {
  static unsigned char headed[CHUNK * 512 + MAX_DATAGRAM];
  napi_value args[3];
  size_t count = 3;
  void *bytes, *fields;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  size_t room = array_of(env, args[0], &bytes), rows = array_of(env, args[1], &fields) / SENT_FIELDS;
  size_t wanted = (size_t)int_of(env, args[2]), waiting = 0, used = 0;
  int32_t taken = 0;
  const int32_t *row = fields;
  for (size_t i = 0; i < wanted && i < rows; i++, row += SENT_FIELDS) {
    size_t offset = (size_t)row[1], length = (size_t)row[2];
    if (row[1] < 0 || row[2] < 0 || offset + length > room) continue;
    void *packet = (char *)bytes + offset;
    if (row[5] != 0) {
      if (length > MAX_DATAGRAM - RTP_HEADER) continue;
      if (sizeof headed - used < MAX_DATAGRAM) taken += send_chunk(waiting), waiting = used = 0;
      unsigned char *whole = headed + used;
      put32(whole, (uint32_t)row[5] << 16 | ((uint32_t)row[6] & 0xffff));
      put32(whole + 4, (uint32_t)row[7]);
      put32(whole + 8, (uint32_t)row[8]);
      memcpy(whole + RTP_HEADER, packet, length);
      packet = whole;
      length += RTP_HEADER;
      used += length;
    }
    if (row[4] != 0) {
      struct sockaddr_in to = address_of(row[3], row[4]);
      taken += sendto(row[0], packet, length, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to) >= 0;
      continue;
    }
    struct request *one = &chunk[waiting++];
    one->socket = row[0];
    one->is_receiving = 0;
    one->vector = (struct iovec){packet, length};
    if (waiting == CHUNK) taken += send_chunk(waiting), waiting = used = 0;
  }
  return answer(env, taken + send_chunk(waiting));
}

EXPORT({"open", open_socket}, {"close", close_socket}, {"connect", connect_socket}, {"receive", receive}, {"send", send_batch},
       {"useRing", use_ring})
