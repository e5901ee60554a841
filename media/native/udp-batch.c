/* Many UDP sockets for little: one call receives whatever has come on all of them, one call sends a batch. Node reads
 * every datagram by itself, with an allocation of 64 kB and two system calls each, and wakes up for each; with a thousand
 * calls at 50 packets a second that is most of what a mix costs. Linux, IPv4. See media/legs/batch-udp.ts.
 *
 * Written against the stable ABI of Node-API, declared here so that no headers are needed to compile it:
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

typedef struct napi_env__ *napi_env;
typedef struct napi_value__ *napi_value;
typedef struct napi_callback_info__ *napi_callback_info;
typedef napi_value (*napi_callback)(napi_env, napi_callback_info);
extern int napi_create_function(napi_env, const char *, size_t, napi_callback, void *, napi_value *);
extern int napi_set_named_property(napi_env, napi_value, const char *, napi_value);
extern int napi_get_cb_info(napi_env, napi_callback_info, size_t *, napi_value *, napi_value *, void **);
extern int napi_get_value_int32(napi_env, napi_value, int32_t *);
extern int napi_create_int32(napi_env, int32_t, napi_value *);
extern int napi_get_typedarray_info(napi_env, napi_value, int *, size_t *, void **, napi_value *, size_t *);

enum { READY = 512, MAX_DATAGRAM = 2048, RECEIVED_FIELDS = 6, SENT_FIELDS = 9, RTP_HEADER = 12 };

static int epoll_fd = -1;

static int32_t int_of(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}

static napi_value answer(napi_env env, int32_t number) {
  napi_value value = NULL;
  napi_create_int32(env, number, &value);
  return value;
}

/* Memory of a typed array; 0 elements for anything else. Lengths are in elements. */
static size_t array_of(napi_env env, napi_value value, void **data) {
  int type;
  size_t length = 0;
  *data = NULL;
  return napi_get_typedarray_info(env, value, &type, &length, data, NULL, NULL) == 0 ? length : 0;
}

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

static int64_t nanoseconds(struct timespec t) { return t.tv_sec * 1000000000LL + t.tv_nsec; }

/* Takes one datagram of each socket that has some, then the next, until there is none: two system calls are spared for
 * each socket that had but one. (bytes, fields) -> how many datagrams; of each: descriptor, offset, length, age in microseconds, address, port. Ends when
 * either array is full: call again then. */
static napi_value receive(napi_env env, napi_callback_info info) {
  static struct epoll_event ready[READY];
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
    for (int i = 0; i < sockets; i++) {
      if (received == rows || room - used < MAX_DATAGRAM) return answer(env, (int32_t)received);
      char control[CMSG_SPACE(sizeof(struct timespec))];
      struct sockaddr_in from = {0};
      struct iovec vector = {(char *)bytes + used, MAX_DATAGRAM};
      struct msghdr message = {.msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
      ssize_t length = recvmsg(ready[i].data.fd, &message, 0);
      /* The ICMP of a peer that is not there: reading has cleared it. */
      if (length < 0) continue;
      int64_t age = 0;
      struct cmsghdr *header = CMSG_FIRSTHDR(&message);
      if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_TIMESTAMPNS) {
        struct timespec at;
        memcpy(&at, CMSG_DATA(header), sizeof at);
        age = (nanoseconds(now) - nanoseconds(at)) / 1000;
      }
      row[0] = ready[i].data.fd;
      row[1] = (int32_t)used;
      row[2] = (int32_t)length;
      row[3] = age < 0 ? 0 : age > 1000000 ? 1000000 : (int32_t)age;
      row[4] = (int32_t)ntohl(from.sin_addr.s_addr);
      row[5] = ntohs(from.sin_port);
      row += RECEIVED_FIELDS;
      received++;
      used += ((size_t)length + 7) & ~(size_t)7;
    }
    if (sockets <= 0) break;
  }
  return answer(env, (int32_t)received);
}

static void put32(unsigned char *at, uint32_t value) {
  at[0] = (unsigned char)(value >> 24);
  at[1] = (unsigned char)(value >> 16);
  at[2] = (unsigned char)(value >> 8);
  at[3] = (unsigned char)value;
}

/* (bytes, fields, rows) -> how many the system took; of each: descriptor, offset, length, address, port (0: connected), and
 * an RTP header to put before it: its first two bytes (0: none), sequence number, time stamp, SSRC. Many legs hear the same, so
 * that their packets share one payload. */
static napi_value send_batch(napi_env env, napi_callback_info info) {
  napi_value args[3];
  size_t count = 3;
  void *bytes, *fields;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  size_t room = array_of(env, args[0], &bytes), rows = array_of(env, args[1], &fields) / SENT_FIELDS;
  size_t wanted = (size_t)int_of(env, args[2]);
  int32_t taken = 0;
  const int32_t *row = fields;
  for (size_t i = 0; i < wanted && i < rows; i++, row += SENT_FIELDS) {
    size_t offset = (size_t)row[1], length = (size_t)row[2];
    if (row[1] < 0 || row[2] < 0 || offset + length > room) continue;
    struct sockaddr_in to = address_of(row[3], row[4]);
    unsigned char whole[MAX_DATAGRAM];
    const void *packet = (char *)bytes + offset;
    if (row[5] != 0) {
      if (length > sizeof whole - RTP_HEADER) continue;
      put32(whole, (uint32_t)row[5] << 16 | ((uint32_t)row[6] & 0xffff));
      put32(whole + 4, (uint32_t)row[7]);
      put32(whole + 8, (uint32_t)row[8]);
      memcpy(whole + RTP_HEADER, packet, length);
      packet = whole;
      length += RTP_HEADER;
    }
    ssize_t sent = row[4] == 0 ? send(row[0], packet, length, MSG_DONTWAIT)
                               : sendto(row[0], packet, length, MSG_DONTWAIT, (struct sockaddr *)&to, sizeof to);
    if (sent >= 0) taken++;
  }
  return answer(env, taken);
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  static const struct { const char *name; napi_callback call; } functions[] = {
    {"open", open_socket}, {"close", close_socket}, {"connect", connect_socket}, {"receive", receive}, {"send", send_batch},
  };
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
    napi_value function;
    napi_create_function(env, functions[i].name, (size_t)-1, functions[i].call, NULL, &function);
    napi_set_named_property(env, exports, functions[i].name, function);
  }
  return exports;
}
