/* What comes before the macroblocks: parameter sets, slice headers, and units as they are in a byte stream (ITU-T H.264 §7.3,
 * annexes B and E). */
#ifndef SWITCHYARD_H264_HEADERS_H
#define SWITCHYARD_H264_HEADERS_H
#include "h264-state.h"

enum { UNIT_SLICE = 0x61, UNIT_KEY_SLICE = 0x65, UNIT_SEQUENCE = 0x67, UNIT_PICTURE = 0x68 };
enum { FRAME_NUMBER_BITS = 8, FRAME_NUMBERS = 1 << FRAME_NUMBER_BITS };
enum { BASELINE = 66, CONSTRAINED = 0xc0, COUNT_BY_FRAMES = 2, OLD_QP = 26, PICTURE_OF_ONE_TYPE = 5 };

/* Table A-1: number, macroblocks a second, macroblocks of a picture. */
static const struct { int number, rate, size; } levels[] = {
  {10, 1485, 99},      {11, 3000, 396},     {12, 6000, 396},     {13, 11880, 396},    {21, 19800, 792},     {22, 20250, 1620},
  {30, 40500, 1620},   {31, 108000, 3600},  {32, 216000, 5120},  {40, 245760, 8192},  {42, 522240, 8704},   {50, 589824, 22080},
  {51, 983040, 36864}, {52, 2073600, 36864}, {60, 4177920, 139264}, {61, 8355840, 139264}, {62, 16711680, 139264},
};

static inline int level_of(const struct encoder *of) {
  int size = of->columns * of->rows, count = sizeof levels / sizeof *levels, at = 0;
  /* Of a picture, neither side may be longer than the root of eight times as many as it may have. */
  int longest = of->columns > of->rows ? of->columns : of->rows;
  while (at < count - 1 && (levels[at].size < size || levels[at].rate < size * of->framerate || 8 * levels[at].size < longest * longest)) at++;
  return levels[at].number;
}

static void count_escapes_of_eight(struct escaped *of) {
  for (int i = 0; i < 8; i++) {
    int is_escaped = of->zeros == 2 && of->at[i] <= 3;
    of->count += is_escaped;
    of->zeros = of->at[i] ? 0 : is_escaped ? 1 : of->zeros + 1;
  }
}

/* Goes on to `end`, by the same rule as put_unit; bits come to memory eight bytes at a time, most of which have no zero. */
static inline void count_escapes(struct escaped *of, const uint8_t *end) {
  const uint64_t ones = 0x0101010101010101, tops = ones << 7;
  while (of->at < end) {
    uint64_t eight;
    memcpy(&eight, of->at, sizeof eight);
    int is_plain = !((eight - ones) & ~eight & tops) && (of->zeros < 2 || *of->at > 3);
    if (is_plain) of->zeros = 0;
    else count_escapes_of_eight(of);
    of->at += sizeof eight;
  }
}

/* With a start code, and escaped where it would look like one. -> its length; 0 where there is no room for it */
static inline size_t put_unit(uint8_t *to, size_t room, uint8_t kind, const uint8_t *from, size_t length) {
  if (room < length * 3 / 2 + 8) return 0;
  uint8_t *at = to;
  int zeros = 0;
  memcpy(at, "\0\0\0\1", 4);
  at += 4;
  *at++ = kind;
  for (size_t i = 0; i < length; i++) {
    if (zeros == 2 && from[i] <= 3) {
      *at++ = 3;
      zeros = 0;
    }
    zeros = from[i] ? 0 : zeros + 1;
    *at++ = from[i];
  }
  return (size_t)(at - to);
}

static inline size_t put_sequence(uint8_t *to, size_t room, const struct encoder *of) {
  struct bits bits;
  uint8_t raw[64];
  int right = (of->columns * SIDE - of->seen.width) / 2, below = (of->rows * SIDE - of->seen.height) / 2;
  begin_bits(&bits, raw);
  put_bits(&bits, 8, BASELINE);
  put_bits(&bits, 8, CONSTRAINED);
  put_bits(&bits, 8, (uint32_t)level_of(of));
  put_unsigned(&bits, 0);
  put_unsigned(&bits, FRAME_NUMBER_BITS - 4);
  /* Pictures are shown in the order in which they come. */
  put_unsigned(&bits, COUNT_BY_FRAMES);
  put_unsigned(&bits, 1);
  put_bits(&bits, 1, 0);
  put_unsigned(&bits, (uint32_t)of->columns - 1);
  put_unsigned(&bits, (uint32_t)of->rows - 1);
  put_bits(&bits, 1, 1);
  put_bits(&bits, 1, 1);
  put_bits(&bits, 1, right || below);
  if (right || below) {
    put_unsigned(&bits, 0);
    put_unsigned(&bits, (uint32_t)right);
    put_unsigned(&bits, 0);
    put_unsigned(&bits, (uint32_t)below);
  }
  /* Usability: nothing of shapes and colours, */
  put_bits(&bits, 1, 1);
  put_bits(&bits, 4, 0);
  /* two fields for each picture, */
  put_bits(&bits, 1, 1);
  put_bits(&bits, 32, 1);
  put_bits(&bits, 32, 2 * (uint32_t)of->framerate);
  /* not always as far apart, as views give way in rate, */
  put_bits(&bits, 1, 0);
  /* no buffer to be simulated, */
  put_bits(&bits, 3, 0);
  /* and none to be waited for: players show each picture at once. */
  put_bits(&bits, 1, 1);
  put_bits(&bits, 1, 1);
  put_unsigned(&bits, 0);
  put_unsigned(&bits, 0);
  put_unsigned(&bits, 10);
  put_unsigned(&bits, 10);
  put_unsigned(&bits, 0);
  put_unsigned(&bits, 1);
  put_bits(&bits, 1, 1);
  return put_unit(to, room, UNIT_SEQUENCE, raw, (size_t)(end_bits(&bits) - raw));
}

static inline size_t put_picture(uint8_t *to, size_t room) {
  struct bits bits;
  uint8_t raw[64];
  begin_bits(&bits, raw);
  put_unsigned(&bits, 0);
  put_unsigned(&bits, 0);
  put_bits(&bits, 2, 0);
  put_unsigned(&bits, 0);
  put_unsigned(&bits, 0);
  put_unsigned(&bits, 0);
  put_bits(&bits, 3, 0);
  put_signed(&bits, 0);
  put_signed(&bits, 0);
  put_signed(&bits, 0);
  /* Slices say that edges are not filtered. */
  put_bits(&bits, 1, 1);
  put_bits(&bits, 2, 0);
  put_bits(&bits, 1, 1);
  return put_unit(to, room, UNIT_PICTURE, raw, (size_t)(end_bits(&bits) - raw));
}

/* -> their length; 0 where there is no room for them */
static inline size_t put_parameter_sets(uint8_t *to, size_t room, const struct encoder *of) {
  size_t first = put_sequence(to, room, of);
  size_t second = first ? put_picture(to + first, room - first) : 0;
  return second ? first + second : 0;
}

static inline void put_slice_header(struct bits *bits, const struct encoder *of, int first, int is_key, int qp) {
  put_unsigned(bits, (uint32_t)first);
  put_unsigned(bits, PICTURE_OF_ONE_TYPE + (is_key ? 2 : 0));
  put_unsigned(bits, 0);
  put_bits(bits, FRAME_NUMBER_BITS, (uint32_t)of->frame_number);
  if (is_key) {
    put_unsigned(bits, (uint32_t)of->idr_number);
    /* Neither keeps what was, nor is kept for long. */
    put_bits(bits, 2, 0);
  } else {
    /* One reference, in the usual order, and the oldest goes. */
    put_bits(bits, 3, 0);
  }
  put_signed(bits, qp - OLD_QP);
  put_unsigned(bits, 1);
}

#endif
