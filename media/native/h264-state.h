/* What the encoder of h264-encode.c keeps of a picture and of the macroblock that it is at. */
#ifndef SWITCHYARD_H264_STATE_H
#define SWITCHYARD_H264_STATE_H
#include "cavlc.h"
#include "differences.h"
#include "transform.h"

enum { LUMA_BLOCKS = 16, CHROMA_BLOCKS = 4, ALL_BLOCKS = LUMA_BLOCKS + 2 * CHROMA_BLOCKS };

/* Beside the quantiser that a macroblock was shown with: it has moved since it was asked whether it rests, or rested then. */
enum { SHOWN_QP = 63, HAS_RESTED = 64, HAS_MOVED = 128 };

/* In whole samples: half ones cost more to try than they bring in pictures that were encoded before. */
struct vector { int16_t x, y; };

struct encoder {
  struct compared seen;
  int columns, rows, framerate, slice_bytes, frame_number, idr_number, has_key;
  /* As the decoder has it: of the last picture, and of this one. Both are the same from one picture to the next, so that what
   * does not change need not be copied. Without borders, which are made where a vector reaches beyond. */
  uint8_t *memory, *past[3], *now[3];
  ptrdiff_t strides[3];
  /* Of each macroblock of this picture. */
  struct vector *vectors;
  uint8_t *is_intra, (*counts)[ALL_BLOCKS];
  /* The quantiser that it was last shown with, or looked at in vain, and what of it may be seen better at rest. */
  uint8_t *shown_at;
  /* Those that are another now than in the last picture, and how many. */
  int *written, written_count;
  /* Where still ones are looked at again from, in this picture. */
  int regain_from;
  /* One slice before its bytes are escaped. */
  uint8_t *raw;
};

/* How many bytes of a slice must be escaped, up to one of them, and how many zeros come before that. */
struct escaped {
  const uint8_t *at;
  int count, zeros;
};

struct slice {
  struct encoder *of;
  const struct planes *picture;
  struct bits bits;
  struct escaped escaped;
  int first, is_key, qp, skipped, lambda;
  /* The macroblock under work has more than may be: it goes as its samples. */
  int is_beyond;
  /* Differences of 8x4 of luma, and of 8x8 of chroma, that leave nothing after quantising; and less, for what is at rest. */
  unsigned nothing, nothing_chroma, nothing_at_rest, nothing_chroma_at_rest;
  struct quantiser luma, chroma, intra_luma, intra_chroma;
  uint8_t *out;
  size_t room;
};

/* A macroblock under work. */
struct macroblock {
  int at, column, row, has_left, has_above, has_above_right, has_above_left;
  const uint8_t *source[3];
  ptrdiff_t strides[3];
  uint8_t edge[3 * BLOCK / 2];
  /* Where it goes, and where it was. */
  uint8_t *now[3];
  const uint8_t *past[3];
  struct vector guess, skip;
};

/* A macroblock's prediction: luma, then both chroma planes, as blocks of their own or where they lie in the last picture. */
struct prediction {
  const uint8_t *at[3];
  ptrdiff_t strides[3];
  uint8_t made[3][BLOCK];
};

static inline int side_of(int plane) { return plane ? HALF : SIDE; }

static inline void copy_block(uint8_t *to, ptrdiff_t stride, const uint8_t *from, ptrdiff_t from_stride, int side) {
  for (int y = 0; y < side; y++) {
    if (side == SIDE) memcpy(to + y * stride, from + y * from_stride, SIDE);
    else memcpy(to + y * stride, from + y * from_stride, HALF);
  }
}

/* Of 16x16 pixels, the differences of each 8x4: two for each four rows. */
static inline void strip_differences(const uint8_t *is, ptrdiff_t stride, const uint8_t *was, ptrdiff_t was_stride, unsigned *strips) {
  for (int s = 0; s < 4; s++) {
#ifdef __SSE2__
    __m128i both = _mm_setzero_si128();
#pragma GCC unroll 4
    for (int y = 0; y < 4; y++) {
      const uint8_t *a = is + (4 * s + y) * stride, *b = was + (4 * s + y) * was_stride;
      both = _mm_add_epi32(both, _mm_sad_epu8(bytes_at(a, SIDE), bytes_at(b, SIDE)));
    }
    strips[2 * s] = (unsigned)_mm_cvtsi128_si32(both);
    strips[2 * s + 1] = (unsigned)_mm_cvtsi128_si32(_mm_srli_si128(both, 8));
#else
    for (int half = 0; half < 2; half++) {
      const uint8_t *a = is + 4 * s * stride + HALF * half, *b = was + 4 * s * was_stride + HALF * half;
      strips[2 * s + half] = (unsigned)difference(a, stride, b, HALF, 4, was_stride);
    }
#endif
  }
}

static inline unsigned block_difference(const uint8_t *is, ptrdiff_t stride, const uint8_t *was, ptrdiff_t was_stride, int side) {
#ifdef __SSE2__
  __m128i sum = _mm_setzero_si128();
#pragma GCC unroll 16
  for (int y = 0; y < side; y++) {
    sum = _mm_add_epi32(sum, _mm_sad_epu8(bytes_at(is + y * stride, side), bytes_at(was + y * was_stride, side)));
  }
  return (unsigned)total(sum);
#else
  return (unsigned)difference(is, stride, was, side, side, was_stride);
#endif
}

#endif
