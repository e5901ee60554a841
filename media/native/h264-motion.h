/* Where a macroblock came from: vectors as ITU-T H.264 §8.4.1 guesses them, the search for a better one, and what it shows. */
#ifndef SWITCHYARD_H264_MOTION_H
#define SWITCHYARD_H264_MOTION_H
#include "h264-state.h"

/* The lowest level has vectors of less than 64 upwards and downwards (table A-1). */
enum { MOST_STEPS = 16, FARTHEST = 63 };

static inline int median_of(int a, int b, int c) {
  int least = a < b ? a : b, most = a < b ? b : a;
  return c < least ? least : c > most ? most : c;
}

static inline int is_same_vector(struct vector a, struct vector b) { return a.x == b.x && a.y == b.y; }

/* §8.4.1.3 for 16x16 and one reference picture, and §8.4.1.1 for what is skipped. */
static inline void guess_vectors(const struct encoder *of, struct macroblock *mb) {
  const struct vector none = {0, 0};
  int at = mb->at, is_corner = !mb->has_above_right;
  int c_at = is_corner ? at - of->columns - 1 : at - of->columns + 1;
  int has_c = is_corner ? mb->has_above_left : 1;
  int a = mb->has_left && !of->is_intra[at - 1], b = mb->has_above && !of->is_intra[at - of->columns];
  int c = has_c && !of->is_intra[c_at];
  struct vector left = a ? of->vectors[at - 1] : none, above = b ? of->vectors[at - of->columns] : none;
  struct vector corner = c ? of->vectors[c_at] : none;
  if (!mb->has_above && !has_c && mb->has_left) mb->guess = left;
  else if (a + b + c == 1) mb->guess = a ? left : b ? above : corner;
  else mb->guess = (struct vector){(int16_t)median_of(left.x, above.x, corner.x), (int16_t)median_of(left.y, above.y, corner.y)};
  int is_still = !mb->has_left || !mb->has_above || (a && is_same_vector(left, none)) || (b && is_same_vector(above, none));
  mb->skip = is_still ? none : mb->guess;
}

static inline int is_inside(const struct encoder *of, const struct macroblock *mb, struct vector v) {
  int x = mb->column * SIDE + v.x, y = mb->row * SIDE + v.y;
  int is_near = abs(v.x) <= FARTHEST && abs(v.y) <= FARTHEST;
  return is_near && x >= 0 && y >= 0 && x <= (of->columns - 1) * SIDE && y <= (of->rows - 1) * SIDE;
}

/* Beyond its edges a picture goes on as they are (§8.4.2.2.1): most of what comes in from there is seen already. */
static inline int is_allowed(const struct encoder *of, const struct macroblock *mb, struct vector v) {
  int x = mb->column * SIDE + v.x, y = mb->row * SIDE + v.y;
  int is_near = abs(v.x) <= FARTHEST && abs(v.y) <= FARTHEST;
  return is_near && x > -SIDE && y > -SIDE && x < of->columns * SIDE && y < of->rows * SIDE;
}

static inline int clamped(int value, int most) { return value < 0 ? 0 : value > most ? most : value; }

/* A square that lies beyond an edge in part, (x, y) from where its macroblock is. */
static void copy_beyond(const struct encoder *of, const struct macroblock *mb, int plane, int x, int y, int side, uint8_t *to) {
  int left = mb->column * side_of(plane), above = mb->row * side_of(plane);
  int right = of->columns * side_of(plane) - 1, below = of->rows * side_of(plane) - 1;
  const uint8_t *first = mb->past[plane] - above * of->strides[plane] - left;
  x += left;
  y += above;
  for (int i = 0; i < side; i++, to += side) {
    const uint8_t *line = first + clamped(y + i, below) * of->strides[plane];
    if (x >= 0 && x + side - 1 <= right) memcpy(to, line + x, (size_t)side);
    else for (int k = 0; k < side; k++) to[k] = line[clamped(x + k, right)];
  }
}

static inline const uint8_t *luma_of(const struct encoder *of, const struct macroblock *mb, struct vector v) {
  return mb->past[0] + v.y * of->strides[0] + v.x;
}

static inline unsigned vector_cost(const struct macroblock *mb, struct vector v, int lambda) {
  return (unsigned)(lambda * (signed_length(4 * (v.x - mb->guess.x)) + signed_length(4 * (v.y - mb->guess.y))));
}

/* Tries one that is inside. -> whether it is the best now */
static inline int try_vector(const struct slice *in, const struct macroblock *mb, struct vector v, struct vector *best, unsigned *least) {
  const struct encoder *of = in->of;
  if (!is_inside(of, mb, v)) return 0;
  unsigned cost = vector_cost(mb, v, in->lambda);
  if (cost >= *least) return 0;
  cost += block_difference(mb->source[0], mb->strides[0], luma_of(of, mb, v), of->strides[0], SIDE);
  if (cost >= *least) return 0;
  *least = cost;
  *best = v;
  return 1;
}

/* Tries one that reaches beyond an edge. */
static void try_beyond(const struct slice *in, const struct macroblock *mb, struct vector v, struct vector *best, unsigned *least) {
  uint8_t made[BLOCK];
  unsigned cost = vector_cost(mb, v, in->lambda);
  if (cost >= *least) return;
  copy_beyond(in->of, mb, 0, v.x, v.y, SIDE, made);
  cost += block_difference(mb->source[0], mb->strides[0], made, SIDE, SIDE);
  if (cost >= *least) return;
  *least = cost;
  *best = v;
}

/* Begins where neighbours and the same place of the last picture came from, and goes on step by step while it gets better; beyond
 * an edge only where one of them does. */
static inline struct vector search_vector(const struct slice *in, const struct macroblock *mb, unsigned *least) {
  static const struct vector steps[4] = {{0, -1}, {-1, 0}, {1, 0}, {0, 1}};
  const struct encoder *of = in->of;
  struct vector best = {0, 0}, tried[8] = {best, mb->guess, of->vectors[mb->at]};
  int count = 3;
  if (mb->has_left) tried[count++] = of->vectors[mb->at - 1];
  if (mb->has_above) tried[count++] = of->vectors[mb->at - of->columns];
  if (mb->has_above_right) tried[count++] = of->vectors[mb->at - of->columns + 1];
  /* Of the last picture still. */
  if (mb->column + 1 < of->columns) tried[count++] = of->vectors[mb->at + 1];
  if (mb->row + 1 < of->rows) tried[count++] = of->vectors[mb->at + of->columns];
  *least = UINT32_MAX;
  for (int i = 0; i < count; i++) {
    int is_known = 0;
    for (int j = 0; j < i; j++) is_known |= is_same_vector(tried[i], tried[j]);
    if (is_known) continue;
    if (is_inside(of, mb, tried[i])) try_vector(in, mb, tried[i], &best, least);
    else if (is_allowed(of, mb, tried[i])) try_beyond(in, mb, tried[i], &best, least);
  }
  if (*least <= in->nothing) return best;
  int back = -1;
  for (int step = 0; step < MOST_STEPS; step++) {
    struct vector from = best;
    int taken = -1;
    for (int i = 0; i < 4; i++) {
      struct vector v = {(int16_t)(from.x + steps[i].x), (int16_t)(from.y + steps[i].y)};
      if (i != back && try_vector(in, mb, v, &best, least)) taken = i;
    }
    if (taken < 0) break;
    back = 3 - taken;
  }
  return best;
}

/* §8.4.2.2.2: of whole luma samples, chroma is whole or half way between. */
static inline void put_between(const uint8_t *from, ptrdiff_t stride, int half_x, int half_y, uint8_t *made) {
  for (int y = 0; y < HALF; y++, from += stride) {
    const uint8_t *below = from + half_y * stride;
    for (int x = 0; x < HALF; x++) {
      int sum = half_x && half_y ? (from[x] + from[x + 1] + below[x] + below[x + 1] + 2) >> 2 : (from[x] + below[x + half_x] + 1) >> 1;
      made[y * HALF + x] = (uint8_t)sum;
    }
  }
}

static void predict_chroma_beyond(const struct encoder *of, const struct macroblock *mb, struct vector v, struct prediction *to) {
  uint8_t around[(HALF + 1) * (HALF + 1)];
  int half_x = v.x & 1, half_y = v.y & 1;
  for (int plane = 1; plane < 3; plane++) {
    copy_beyond(of, mb, plane, v.x >> 1, v.y >> 1, HALF + 1, around);
    if (half_x || half_y) put_between(around, HALF + 1, half_x, half_y, to->made[plane]);
    else copy_block(to->made[plane], HALF, around, HALF + 1, HALF);
    to->at[plane] = to->made[plane];
    to->strides[plane] = HALF;
  }
}

static inline void predict_chroma(const struct encoder *of, const struct macroblock *mb, struct vector v, struct prediction *to) {
  if (!is_inside(of, mb, v)) {
    predict_chroma_beyond(of, mb, v, to);
    return;
  }
  for (int plane = 1; plane < 3; plane++) {
    ptrdiff_t stride = of->strides[plane];
    const uint8_t *from = mb->past[plane] + (v.y >> 1) * stride + (v.x >> 1);
    int half_x = v.x & 1, half_y = v.y & 1;
    to->at[plane] = from;
    to->strides[plane] = stride;
    if (!half_x && !half_y) continue;
    put_between(from, stride, half_x, half_y, to->made[plane]);
    to->at[plane] = to->made[plane];
    to->strides[plane] = HALF;
  }
}

static inline void predict_luma(const struct encoder *of, const struct macroblock *mb, struct vector v, struct prediction *to) {
  int is_all_there = is_inside(of, mb, v);
  if (!is_all_there) copy_beyond(of, mb, 0, v.x, v.y, SIDE, to->made[0]);
  to->at[0] = is_all_there ? luma_of(of, mb, v) : to->made[0];
  to->strides[0] = is_all_there ? of->strides[0] : SIDE;
}

#endif
