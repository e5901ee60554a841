/* Plays phones for bench/audio-mix.ts: sends N RTP streams from one socket, receives what comes back, counts and times it.
 * One program for every peer that is compared. Arguments: local port, seconds to warm up, seconds to measure, file with
 * frames (16 bits of length, then bytes, each), payload type, time stamp step. Then one line on stdin for each leg: port
 * to send to, and what it does: t talks, s is silent with a packet each 400 ms, p sends G.711 silence with one loud frame each
 * 500 ms, which is timed until the others hear it. Answers with one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MAX_LEGS = 8192, MAX_FRAMES = 4096, BATCH = 64, SLICES = 10, BYTES = 512, BINS = 4000 };

static struct leg {
  uint16_t port, seq, last_seq;
  uint32_t ts, ssrc;
  int talks, pulses, pulse_heard, seen, at;
  double last_us;
  long received, lost;
} legs[MAX_LEGS];
static int leg_of_port[65536];
static unsigned char frames[MAX_FRAMES][BYTES];
static int lengths[MAX_FRAMES], frame_count, leg_count;
static long bins[BINS], measured_packets, sent_packets, unsent_packets;
static int is_measuring;
/* How long a loud frame was under way, each 0.1 ms. */
static long delay_bins[BINS];
static double pulse_us;
static int pulse_count;
enum { PULSE_TICKS = 25, LOUD_BYTES = 10 };

/* u-law: all ones is silence. */
static int is_loud(const unsigned char *payload, int length) {
  int loud = 0;
  for (int i = 0; i < length; i++) loud += (~payload[i] & 0x7f) >= 0x40;
  return loud >= LOUD_BYTES;
}

static double now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void receive_all(int fd) {
  static unsigned char data[BATCH][2048];
  static struct mmsghdr messages[BATCH];
  static struct iovec vectors[BATCH];
  static struct sockaddr_in from[BATCH];
  for (;;) {
    for (int i = 0; i < BATCH; i++) {
      vectors[i] = (struct iovec){data[i], sizeof data[i]};
      messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &vectors[i], .msg_iovlen = 1};
    }
    int count = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
    if (count <= 0) return;
    double now = now_us();
    for (int i = 0; i < count; i++) {
      if (messages[i].msg_len < 12 || (data[i][1] >= 192 && data[i][1] <= 223)) continue;
      int index = leg_of_port[ntohs(from[i].sin_port)] - 1;
      if (index < 0) continue;
      struct leg *leg = &legs[index];
      uint16_t seq = (uint16_t)(data[i][2] << 8 | data[i][3]);
      if (is_measuring && leg->seen) {
        leg->received++;
        measured_packets++;
        uint16_t step = (uint16_t)(seq - leg->last_seq);
        if (step > 1 && step < 1000) leg->lost += step - 1;
        long bin = (long)((now - leg->last_us) / 100);
        bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
      }
      if (pulse_count && !leg->pulses && leg->pulse_heard != pulse_count && (data[i][1] & 127) == 0 &&
          is_loud(data[i] + 12, (int)messages[i].msg_len - 12)) {
        long bin = (long)((now - pulse_us) / 100);
        leg->pulse_heard = pulse_count;
        if (is_measuring) delay_bins[bin < 0 ? 0 : bin >= BINS ? BINS - 1 : bin]++;
      }
      leg->seen = 1;
      leg->last_seq = seq;
      leg->last_us = now;
    }
    if (count < BATCH) return;
  }
}

static void send_slice(int fd, int slice, int tick, int type, int step) {
  static unsigned char data[BATCH][BYTES + 12];
  static struct mmsghdr messages[BATCH];
  static struct iovec vectors[BATCH];
  static struct sockaddr_in to[BATCH];
  int count = 0;
  for (int i = slice; i < leg_count; i += SLICES) {
    struct leg *leg = &legs[i];
    leg->ts += step;
    if (leg->talks || (tick + i) % 20 == 0) {
      unsigned char *p = data[count];
      int frame = leg->at++ % frame_count, length = leg->talks ? lengths[frame] : 1;
      uint32_t ts = htonl(leg->ts), ssrc = htonl(leg->ssrc);
      p[0] = 0x80;
      p[1] = (unsigned char)type;
      p[2] = leg->seq >> 8;
      p[3] = leg->seq & 255;
      leg->seq++;
      memcpy(p + 4, &ts, 4);
      memcpy(p + 8, &ssrc, 4);
      memcpy(p + 12, frames[frame], length);
      if (leg->pulses) {
        length = 160;
        for (int at = 0; at < length; at++) p[12 + at] = tick % PULSE_TICKS ? 0xff : at & 4 ? 0x80 : 0x00;
        if (tick % PULSE_TICKS == 0) pulse_us = now_us(), pulse_count++;
      }
      vectors[count] = (struct iovec){p, 12 + length};
      to[count] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(leg->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
      messages[count].msg_hdr = (struct msghdr){.msg_name = &to[count], .msg_namelen = sizeof to[count], .msg_iov = &vectors[count], .msg_iovlen = 1};
      count++;
    }
    /* Whoever is silent at the end of a slice does not hold back those before. */
    if (count == BATCH || (i + SLICES >= leg_count && count > 0)) {
      int sent = 0;
      while (sent < count) {
        int n = sendmmsg(fd, messages + sent, count - sent, 0);
        if (n <= 0) {
          unsent_packets += is_measuring, sent++;
          continue;
        }
        sent_packets += is_measuring ? n : 0, sent += n;
      }
      count = 0;
      receive_all(fd);
    }
  }
}

static double share(const long *of, double wanted) {
  long total = 0, sum = 0;
  for (int i = 0; i < BINS; i++) total += of[i];
  if (total == 0) return 0;
  for (int i = 0; i < BINS; i++) if ((sum += of[i]) >= total * wanted) return i / 10.0;
  return BINS / 10.0;
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  int warm = atoi(argv[2]), seconds = atoi(argv[3]), type = atoi(argv[5]), step = atoi(argv[6]);
  FILE *file = fopen(argv[4], "rb");
  unsigned char size[2];
  while (file && frame_count < MAX_FRAMES && fread(size, 1, 2, file) == 2) {
    int length = size[0] << 8 | size[1];
    if (length > BYTES || fread(frames[frame_count], 1, length, file) != (size_t)length) return 3;
    lengths[frame_count++] = length;
  }
  if (frame_count == 0) return 3;
  int port;
  char what;
  while (leg_count < MAX_LEGS && scanf("%d %c", &port, &what) == 2) {
    legs[leg_count] = (struct leg){.port = port, .talks = what != 's', .pulses = what == 'p', .ssrc = 1000 + leg_count, .at = leg_count * 37};
    leg_of_port[port] = ++leg_count;
  }
  int fd = socket(AF_INET, SOCK_DGRAM, 0), big = 8 << 20;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &big, sizeof big);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &big, sizeof big);
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (bind(fd, (struct sockaddr *)&own, sizeof own)) return 4;
  double start = now_us();
  for (int tick = 0; tick < (warm + seconds) * 50; tick++) {
    if (tick == warm * 50) {
      is_measuring = 1;
      printf("measuring\n");
      fflush(stdout);
    }
    for (int slice = 0; slice < SLICES; slice++) {
      double due = start + tick * 20000.0 + slice * 2000.0;
      for (double left = due - now_us(); left > 0; left = due - now_us()) {
        struct timespec nap = {0, (long)((left > 500 ? 500 : left) * 1000)};
        nanosleep(&nap, NULL);
        receive_all(fd);
      }
      send_slice(fd, slice, tick, type, step);
    }
  }
  long lost = 0, deaf = 0;
  for (int i = 0; i < leg_count; i++) {
    lost += legs[i].lost;
    if (legs[i].received < seconds * 45) deaf++;
  }
  printf("{\"received\":%ld,\"sent\":%ld,\"unsent\":%ld,\"lost\":%ld,\"deaf\":%ld,\"intervalP50Ms\":%.1f,\"intervalP99Ms\":%.1f,\"delayP50Ms\":%.1f,\"delayP99Ms\":%.1f}\n", measured_packets, sent_packets, unsent_packets, lost, deaf,
         share(bins, 0.5), share(bins, 0.99), share(delay_bins, 0.5), share(delay_bins, 0.99));
  return 0;
}
