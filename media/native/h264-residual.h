/* What is left of a macroblock after its prediction: quantised, put to what the decoder will have, and written (ITU-T H.264
 * §7.3.5.3, §8.5). */
#ifndef SWITCHYARD_H264_RESIDUAL_H
#define SWITCHYARD_H264_RESIDUAL_H
#include "h264-state.h"

/* Less than so much comes of single steps far from the DC alone, which cost more than they show; but for key pictures, which all
 * that follow are made from. */
enum { LEAST_OF_8X8 = 4, LEAST_OF_LUMA = 6, LEAST_OF_CHROMA = 7 };
/* From where on three steps and what there is between black and white come to twice of that. */
enum { COARSE_QP = 42 };

struct residual {
  /* Luma as 8x4, two for each four rows; chroma as the upper and the lower half of each plane. */
  struct pair luma[8], chroma[2][2];
  uint32_t set[8];
  struct run_levels blocks[ALL_BLOCKS], dc, chroma_dc[2];
  int16_t dc_values[LUMA_BLOCKS], chroma_dc_values[2][CHROMA_BLOCKS];
  /* Bit b: the b-th 8x8 of luma has any. For chroma 1 with DC alone, 2 with more. */
  int luma_pattern, chroma_pattern;
};

static const uint8_t plain_zigzag[16] = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};

static inline void list_values(struct run_levels *to, const int16_t *values, int count, const uint8_t *order) {
  to->count = 0;
  for (int i = 0; i < count; i++) {
    int16_t value = values[order ? order[i] : i];
    if (!value) continue;
    to->places[to->count] = (uint8_t)i;
    to->levels[to->count++] = value;
  }
}

/* Both 4x4 of an 8x4. -> how much they matter */
static inline int list_pair(struct residual *of, int pair, int first) {
  int left = 4 * (pair >> 1) + 2 * (pair & 1);
  return list_levels(&of->blocks[left], &of->luma[pair], of->set[pair], 0, first) +
         list_levels(&of->blocks[left + 1], &of->luma[pair], of->set[pair], 1, first);
}

static inline void clear_luma(struct residual *of, int eighth) {
  for (int i = 0; i < 2; i++) {
    int pair = 4 * (eighth >> 1) + 2 * i + (eighth & 1), left = 4 * (pair >> 1) + 2 * (pair & 1);
    of->set[pair] = 0;
    of->blocks[left].count = of->blocks[left + 1].count = 0;
  }
}

static inline void quantise_luma(const struct slice *in, const struct macroblock *mb, const struct prediction *by,
                                 const unsigned *strips, unsigned nothing, struct residual *to) {
  int whole = 0;
  to->luma_pattern = 0;
  for (int eighth = 0; eighth < 4; eighth++) {
    int score = 0;
    for (int i = 0; i < 2; i++) {
      int pair = 4 * (eighth >> 1) + 2 * i + (eighth & 1), x = HALF * (pair & 1), y = 4 * (pair >> 1);
      to->set[pair] = 0;
      if (strips[pair] > nothing) {
        forward_pair(&to->luma[pair], mb->source[0] + y * mb->strides[0] + x, mb->strides[0], by->at[0] + y * by->strides[0] + x, by->strides[0]);
        to->set[pair] = quantise_pair(&to->luma[pair], &in->luma);
      }
      score += list_pair(to, pair, 0);
    }
    if (score < LEAST_OF_8X8) clear_luma(to, eighth);
    else to->luma_pattern |= 1 << eighth;
    whole += score < LEAST_OF_8X8 ? 0 : score;
  }
  if (whole >= LEAST_OF_LUMA || !to->luma_pattern) return;
  to->luma_pattern = 0;
  for (int eighth = 0; eighth < 4; eighth++) clear_luma(to, eighth);
}

/* Luma from beside it: the means of the blocks are coded by themselves. */
static inline void quantise_whole_luma(const struct slice *in, const struct macroblock *mb, const struct prediction *by, struct residual *to) {
  int dc[LUMA_BLOCKS], lines[LUMA_BLOCKS], score = 0;
  for (int pair = 0; pair < 8; pair++) {
    int x = HALF * (pair & 1), y = 4 * (pair >> 1), left = 4 * (pair >> 1) + 2 * (pair & 1);
    forward_pair(&to->luma[pair], mb->source[0] + y * mb->strides[0] + x, mb->strides[0], by->at[0] + y * SIDE + x, SIDE);
    dc[left] = to->luma[pair].column[0][0];
    dc[left + 1] = to->luma[pair].column[0][4];
    to->set[pair] = quantise_pair(&to->luma[pair], &in->intra_luma) & 0xfffefffeu;
    score += list_pair(to, pair, 1);
  }
  to->luma_pattern = score < (in->is_key ? 1 : LEAST_OF_LUMA) ? 0 : 15;
  for (int eighth = 0; eighth < 4 && !to->luma_pattern; eighth++) clear_luma(to, eighth);
  for (int pass = 0; pass < 2; pass++) {
    int *from = pass ? lines : dc, *into = pass ? dc : lines, step = pass ? 4 : 1, row = pass ? 1 : 4;
    for (int i = 0; i < 4; i++) {
      const int *v = from + i * row;
      int a = v[0] + v[step], b = v[0] - v[step], c = v[2 * step] + v[3 * step], d = v[2 * step] - v[3 * step];
      into[i * row] = a + c;
      into[i * row + step] = a - c;
      into[i * row + 2 * step] = b - d;
      into[i * row + 3 * step] = b + d;
    }
  }
  for (int i = 0; i < LUMA_BLOCKS; i++) to->dc_values[i] = (int16_t)quantise_dc((dc[i] + 1) >> 1, &in->intra_luma);
  list_values(&to->dc, to->dc_values, LUMA_BLOCKS, plain_zigzag);
}

/* What the decoder makes of the DC: the same again, and the scale. */
static inline void restore_dc(const struct slice *in, struct residual *of) {
  int lines[LUMA_BLOCKS], dc[LUMA_BLOCKS];
  for (int i = 0; i < 4; i++) {
    const int16_t *v = of->dc_values + 4 * i;
    int a = v[0] + v[1], b = v[0] - v[1], c = v[2] + v[3], d = v[2] - v[3];
    lines[4 * i] = a + c;
    lines[4 * i + 1] = a - c;
    lines[4 * i + 2] = b - d;
    lines[4 * i + 3] = b + d;
  }
  for (int i = 0; i < 4; i++) {
    const int *v = lines + i;
    int a = v[0] + v[4], b = v[0] - v[4], c = v[8] + v[12], d = v[8] - v[12];
    dc[i] = a + c;
    dc[4 + i] = a - c;
    dc[8 + i] = b - d;
    dc[12 + i] = b + d;
  }
  for (int pair = 0; pair < 8; pair++) {
    int left = 4 * (pair >> 1) + 2 * (pair & 1);
    of->luma[pair].column[0][0] = (int16_t)((dc[left] * in->intra_luma.dc_step) >> 2);
    of->luma[pair].column[0][4] = (int16_t)((dc[left + 1] * in->intra_luma.dc_step) >> 2);
  }
}

/* Luma as the decoder will have it, of 8x4 whose coefficients are scaled. Black and white at random, quantised so coarsely, can
 * come to twice what there is between black and white, and such a macroblock goes as its samples. With finer quantisers, and those
 * that chroma has, it cannot: each coefficient is less than a step away from what it was. */
static inline void restore_luma(struct slice *in, const struct macroblock *mb, const struct prediction *by, int pair, struct residual *of) {
  ptrdiff_t stride = in->of->strides[0], was = by->strides[0];
  int x = HALF * (pair & 1), y = 4 * (pair >> 1);
  if (in->qp >= COARSE_QP && is_beyond_words(&of->luma[pair])) in->is_beyond = 1;
  else inverse_pair(&of->luma[pair], by->at[0] + y * was + x, was, mb->now[0] + y * stride + x, stride);
}

/* -> whether anything is left of one plane */
static inline int quantise_chroma(const struct slice *in, const struct macroblock *mb, const struct prediction *by, int plane, int is_intra,
                                  struct residual *to) {
  const struct quantiser *q = is_intra ? &in->intra_chroma : &in->chroma;
  struct run_levels *blocks = to->blocks + LUMA_BLOCKS + (plane - 1) * CHROMA_BLOCKS;
  struct pair *pairs = to->chroma[plane - 1];
  int16_t *values = to->chroma_dc_values[plane - 1];
  int dc[CHROMA_BLOCKS], score = 0;
  for (int half = 0; half < 2; half++) {
    ptrdiff_t is = 4 * half * mb->strides[plane], was = 4 * half * by->strides[plane];
    forward_pair(&pairs[half], mb->source[plane] + is, mb->strides[plane], by->at[plane] + was, by->strides[plane]);
    dc[2 * half] = pairs[half].column[0][0];
    dc[2 * half + 1] = pairs[half].column[0][4];
    uint32_t set = quantise_pair(&pairs[half], q);
    for (int side = 0; side < 2; side++) score += list_levels(&blocks[2 * half + side], &pairs[half], set, side, 1);
  }
  int is_worth = score >= (in->is_key ? 1 : LEAST_OF_CHROMA);
  if (!is_worth) {
    for (int i = 0; i < CHROMA_BLOCKS; i++) blocks[i].count = 0;
    memset(pairs, 0, 2 * sizeof *pairs);
  }
  int a = dc[0] + dc[1], b = dc[0] - dc[1], c = dc[2] + dc[3], d = dc[2] - dc[3];
  const int sums[CHROMA_BLOCKS] = {a + c, b + d, a - c, b - d};
  for (int i = 0; i < CHROMA_BLOCKS; i++) values[i] = (int16_t)quantise_dc(sums[i], q);
  list_values(&to->chroma_dc[plane - 1], values, CHROMA_BLOCKS, NULL);
  if (is_worth) to->chroma_pattern = 2;
  else if (to->chroma_dc[plane - 1].count && !to->chroma_pattern) to->chroma_pattern = 1;
  return is_worth || to->chroma_dc[plane - 1].count;
}

static inline void clear_chroma(struct residual *of, int plane) {
  for (int i = 0; i < CHROMA_BLOCKS; i++) of->blocks[LUMA_BLOCKS + (plane - 1) * CHROMA_BLOCKS + i].count = 0;
  of->chroma_dc[plane - 1].count = 0;
}

/* A plane of which something is left, as the decoder will have it. */
static inline void restore_chroma(const struct slice *in, const struct macroblock *mb, const struct prediction *by, int plane, struct residual *of) {
  struct pair *pairs = of->chroma[plane - 1];
  const int16_t *v = of->chroma_dc_values[plane - 1];
  int a = v[0] + v[1], b = v[0] - v[1], c = v[2] + v[3], d = v[2] - v[3];
  const int sums[CHROMA_BLOCKS] = {a + c, b + d, a - c, b - d};
  ptrdiff_t stride = in->of->strides[plane];
  for (int half = 0; half < 2; half++) {
    scale_pair(&pairs[half], &in->chroma);
    pairs[half].column[0][0] = (int16_t)((sums[2 * half] * in->chroma.dc_step) >> 1);
    pairs[half].column[0][4] = (int16_t)((sums[2 * half + 1] * in->chroma.dc_step) >> 1);
    inverse_pair(&pairs[half], by->at[plane] + 4 * half * by->strides[plane], by->strides[plane], mb->now[plane] + 4 * half * stride, stride);
  }
}

/* Means of how many coefficients the blocks beside one have. */
static inline int count_around(const struct encoder *of, const struct macroblock *mb, int x, int y, int across, int base) {
  const uint8_t *own = of->counts[mb->at] + base;
  int left = x > 0 ? own[y * across + x - 1] : mb->has_left ? of->counts[mb->at - 1][base + y * across + across - 1] : -1;
  int above = y > 0 ? own[(y - 1) * across + x]
            : mb->has_above ? of->counts[mb->at - of->columns][base + (across - 1) * across + x] : -1;
  if (left < 0) return above < 0 ? 0 : above;
  return above < 0 ? left : (left + above + 1) >> 1;
}

static inline void put_luma(struct slice *in, const struct macroblock *mb, const struct residual *of, int most) {
  uint8_t *counts = in->of->counts[mb->at];
  for (int eighth = 0; eighth < 4; eighth++) {
    if (!(of->luma_pattern >> eighth & 1)) continue;
    for (int i = 0; i < 4; i++) {
      int x = 2 * (eighth & 1) + (i & 1), y = 2 * (eighth >> 1) + (i >> 1);
      const struct run_levels *block = &of->blocks[4 * y + x];
      put_residual(&in->bits, block, count_around(in->of, mb, x, y, 4, 0), most);
      counts[4 * y + x] = (uint8_t)block->count;
    }
  }
}

static inline void put_chroma(struct slice *in, const struct macroblock *mb, const struct residual *of) {
  uint8_t *counts = in->of->counts[mb->at];
  if (!of->chroma_pattern) return;
  for (int plane = 0; plane < 2; plane++) put_residual(&in->bits, &of->chroma_dc[plane], -1, CHROMA_BLOCKS);
  for (int plane = 0; of->chroma_pattern == 2 && plane < 2; plane++) {
    int base = LUMA_BLOCKS + plane * CHROMA_BLOCKS;
    for (int i = 0; i < CHROMA_BLOCKS; i++) {
      put_residual(&in->bits, &of->blocks[base + i], count_around(in->of, mb, i & 1, i >> 1, 2, base), 15);
      counts[base + i] = (uint8_t)of->blocks[base + i].count;
    }
  }
}

#endif
