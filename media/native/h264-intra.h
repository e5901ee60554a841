/* A macroblock from what is beside it in the same picture (ITU-T H.264 §8.3.3, §8.3.4). */
#ifndef SWITCHYARD_H264_INTRA_H
#define SWITCHYARD_H264_INTRA_H
#include "h264-state.h"

/* As they are numbered for luma; chroma has another order. */
enum { VERTICAL, HORIZONTAL, MEAN, PLANE, LUMA_MODES };
enum { CHROMA_MEAN, CHROMA_HORIZONTAL, CHROMA_VERTICAL, CHROMA_MODES };

static inline int is_possible(const struct macroblock *mb, int needs_left, int needs_above) {
  return (!needs_left || mb->has_left) && (!needs_above || mb->has_above);
}

static inline void fill_lines(uint8_t *to, const uint8_t *from, ptrdiff_t stride, int side, int is_vertical) {
  for (int y = 0; y < side; y++) {
    if (is_vertical) memcpy(to + y * side, from - stride, (size_t)side);
    else memset(to + y * side, from[y * stride - 1], (size_t)side);
  }
}

static inline int sum_above(const uint8_t *at, ptrdiff_t stride, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++) sum += at[i - stride];
  return sum;
}

static inline int sum_left(const uint8_t *at, ptrdiff_t stride, int count) {
  int sum = 0;
  for (int i = 0; i < count; i++) sum += at[i * stride - 1];
  return sum;
}

static inline void fill_plane(uint8_t *to, const uint8_t *at, ptrdiff_t stride) {
  int h = 0, v = 0;
  for (int i = 1; i <= 8; i++) {
    h += i * (at[7 + i - stride] - at[7 - i - stride]);
    v += i * (at[(7 + i) * stride - 1] - at[(7 - i) * stride - 1]);
  }
  int a = 16 * (at[15 * stride - 1] + at[15 - stride]), b = (5 * h + 32) >> 6, c = (5 * v + 32) >> 6;
  words line[2];
  for (int x = 0; x < SIDE; x++) line[x >> 3][x & 7] = (int16_t)(a + b * (x - 7) - 7 * c + 16);
  for (int y = 0; y < SIDE; y++) {
    for (int half = 0; half < 2; half++) {
      store_clipped(to + y * SIDE + HALF * half, line[half] >> 5);
      line[half] += (int16_t)c;
    }
  }
}

static inline int mean_beside(const struct macroblock *mb, ptrdiff_t stride) {
  const uint8_t *at = mb->now[0];
  int left = mb->has_left ? sum_left(at, stride, SIDE) : 0, above = mb->has_above ? sum_above(at, stride, SIDE) : 0;
  if (mb->has_left && mb->has_above) return (left + above + 16) >> 5;
  return mb->has_left || mb->has_above ? (left + above + 8) >> 4 : 128;
}

/* -> whether there is such a prediction here */
static inline int predict_luma_mode(const struct macroblock *mb, ptrdiff_t stride, int mode, uint8_t *to) {
  const uint8_t *at = mb->now[0];
  switch (mode) {
    case VERTICAL:
    case HORIZONTAL:
      if (!is_possible(mb, mode == HORIZONTAL, mode == VERTICAL)) return 0;
      fill_lines(to, at, stride, SIDE, mode == VERTICAL);
      return 1;
    case PLANE:
      if (!is_possible(mb, 1, 1) || !mb->has_above_left) return 0;
      fill_plane(to, at, stride);
      return 1;
    default:
      memset(to, mean_beside(mb, stride), BLOCK);
      return 1;
  }
}

/* Each 4x4 of it has a mean of its own. */
static inline void fill_chroma_means(const struct macroblock *mb, const uint8_t *at, ptrdiff_t stride, uint8_t *to) {
  for (int block = 0; block < CHROMA_BLOCKS; block++) {
    int x = 4 * (block & 1), y = 4 * (block >> 1), mean = 128;
    /* Off the diagonal, the edge that it touches counts alone. */
    int uses_above = mb->has_above && (x == y || x > 0 || !mb->has_left), uses_left = mb->has_left && (x == y || y > 0 || !mb->has_above);
    int sum = (uses_above ? sum_above(at + x, stride, 4) : 0) + (uses_left ? sum_left(at + y * stride, stride, 4) : 0);
    if (uses_above && uses_left) mean = (sum + 4) >> 3;
    else if (uses_above || uses_left) mean = (sum + 2) >> 2;
    for (int i = 0; i < 4; i++) memset(to + (y + i) * HALF + x, mean, 4);
  }
}

static inline int predict_chroma_mode(const struct macroblock *mb, ptrdiff_t stride, int mode, struct prediction *to) {
  if (!is_possible(mb, mode == CHROMA_HORIZONTAL, mode == CHROMA_VERTICAL)) return 0;
  for (int plane = 1; plane < 3; plane++) {
    if (mode == CHROMA_MEAN) fill_chroma_means(mb, mb->now[plane], stride, to->made[plane]);
    else fill_lines(to->made[plane], mb->now[plane], stride, HALF, mode == CHROMA_VERTICAL);
    to->at[plane] = to->made[plane];
    to->strides[plane] = HALF;
  }
  return 1;
}

static inline unsigned lines_difference(const struct macroblock *mb, ptrdiff_t stride, int is_vertical) {
  const uint8_t *at = mb->now[0];
  if (is_vertical) return block_difference(mb->source[0], mb->strides[0], at - stride, 0, SIDE);
#ifdef __SSE2__
  __m128i sum = _mm_setzero_si128();
#pragma GCC unroll 16
  for (int y = 0; y < SIDE; y++) {
    const __m128i line = _mm_set1_epi8((char)at[y * stride - 1]);
    sum = _mm_add_epi32(sum, _mm_sad_epu8(bytes_at(mb->source[0] + y * mb->strides[0], SIDE), line));
  }
  return (unsigned)total(sum);
#else
  uint8_t lines[BLOCK];
  fill_lines(lines, at, stride, SIDE, 0);
  return block_difference(mb->source[0], mb->strides[0], lines, SIDE, SIDE);
#endif
}

/* The one nearest to the source. A plane takes as long as all others together, and is tried where they are near already.
 * -> its difference */
static inline unsigned choose_luma_mode(const struct slice *in, const struct macroblock *mb, unsigned least_moved, struct prediction *to, int *chosen) {
  ptrdiff_t stride = in->of->strides[0];
  unsigned least = UINT32_MAX;
  for (int mode = 0; mode < PLANE; mode++) {
    if (!is_possible(mb, mode == HORIZONTAL, mode == VERTICAL)) continue;
    unsigned differs;
    if (mode == MEAN) {
      uint8_t line[SIDE];
      memset(line, mean_beside(mb, stride), SIDE);
      differs = block_difference(mb->source[0], mb->strides[0], line, 0, SIDE);
    } else {
      differs = lines_difference(mb, stride, mode == VERTICAL);
    }
    if (differs >= least) continue;
    least = differs;
    *chosen = mode;
  }
  if (least < 2 * least_moved && predict_luma_mode(mb, stride, PLANE, to->made[0])) {
    unsigned differs = block_difference(mb->source[0], mb->strides[0], to->made[0], SIDE, SIDE);
    if (differs < least) least = differs, *chosen = PLANE;
  }
  return least;
}

static inline void predict_luma_from_beside(const struct slice *in, const struct macroblock *mb, int mode, struct prediction *to) {
  predict_luma_mode(mb, in->of->strides[0], mode, to->made[0]);
  to->at[0] = to->made[0];
  to->strides[0] = SIDE;
}

static inline int choose_chroma_mode(const struct slice *in, const struct macroblock *mb, struct prediction *to) {
  unsigned least = UINT32_MAX;
  int chosen = CHROMA_MEAN;
  for (int mode = 0; mode < CHROMA_MODES; mode++) {
    if (!predict_chroma_mode(mb, in->of->strides[1], mode, to)) continue;
    unsigned differs = 0;
    for (int plane = 1; plane < 3; plane++) differs += block_difference(mb->source[plane], mb->strides[plane], to->made[plane], HALF, HALF);
    if (differs >= least) continue;
    least = differs;
    chosen = mode;
  }
  predict_chroma_mode(mb, in->of->strides[1], chosen, to);
  return chosen;
}

#endif
