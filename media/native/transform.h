/* Residuals of H264: the transform of 4x4 blocks and its inverse, quantised and scaled back (ITU-T H.264 §8.5), two blocks beside
 * each other at a time. Vectors are those of the compiler, so that it runs on any processor; only what they cannot say is
 * written for one. */
#ifndef SWITCHYARD_TRANSFORM_H
#define SWITCHYARD_TRANSFORM_H
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "cavlc.h"

typedef int16_t words __attribute__((vector_size(16)));
typedef uint8_t octets __attribute__((vector_size(16)));
typedef uint8_t octets8 __attribute__((vector_size(8)));

/* Coefficients of two blocks: vector k has column k of both, from the top. */
struct pair { words column[4]; };

static inline words words_at(const uint8_t *at) {
#ifdef __SSE2__
  return (words)_mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)at), _mm_setzero_si128());
#else
  octets8 eight;
  memcpy(&eight, at, sizeof eight);
  return __builtin_convertvector(eight, words);
#endif
}

static inline void store_clipped(uint8_t *to, words from) {
#ifdef __SSE2__
  _mm_storel_epi64((__m128i *)to, _mm_packus_epi16((__m128i)from, (__m128i)from));
#else
  for (int i = 0; i < 8; i++) to[i] = (uint8_t)(from[i] < 0 ? 0 : from[i] > 255 ? 255 : from[i]);
#endif
}

/* Upper halves of the products, without signs. */
static inline words upper_product(words a, words b) {
#ifdef __SSE2__
  return (words)_mm_mulhi_epu16((__m128i)a, (__m128i)b);
#else
  words product;
  for (int i = 0; i < 8; i++) product[i] = (int16_t)(((uint32_t)(uint16_t)a[i] * (uint16_t)b[i]) >> 16);
  return product;
#endif
}

/* Bit i of the result: word i is not 0. */
static inline unsigned set_words(words a) {
#ifdef __SSE2__
  __m128i zeros = _mm_cmpeq_epi16((__m128i)a, _mm_setzero_si128());
  return 0xff & ~(unsigned)_mm_movemask_epi8(_mm_packs_epi16(zeros, zeros));
#else
  unsigned set = 0;
  for (int i = 0; i < 8; i++) set |= (unsigned)(a[i] != 0) << i;
  return set;
#endif
}

static inline void transpose_pair(struct pair *of) {
  words *c = of->column;
  words a = __builtin_shufflevector(c[0], c[1], 0, 8, 1, 9, 2, 10, 3, 11);
  words b = __builtin_shufflevector(c[0], c[1], 4, 12, 5, 13, 6, 14, 7, 15);
  words d = __builtin_shufflevector(c[2], c[3], 0, 8, 1, 9, 2, 10, 3, 11);
  words e = __builtin_shufflevector(c[2], c[3], 4, 12, 5, 13, 6, 14, 7, 15);
  words left01 = __builtin_shufflevector(a, d, 0, 1, 8, 9, 2, 3, 10, 11);
  words left23 = __builtin_shufflevector(a, d, 4, 5, 12, 13, 6, 7, 14, 15);
  words right01 = __builtin_shufflevector(b, e, 0, 1, 8, 9, 2, 3, 10, 11);
  words right23 = __builtin_shufflevector(b, e, 4, 5, 12, 13, 6, 7, 14, 15);
  c[0] = __builtin_shufflevector(left01, right01, 0, 1, 2, 3, 8, 9, 10, 11);
  c[1] = __builtin_shufflevector(left01, right01, 4, 5, 6, 7, 12, 13, 14, 15);
  c[2] = __builtin_shufflevector(left23, right23, 0, 1, 2, 3, 8, 9, 10, 11);
  c[3] = __builtin_shufflevector(left23, right23, 4, 5, 6, 7, 12, 13, 14, 15);
}

static inline void forward_lines(words *v) {
  words outer = v[0] + v[3], inner = v[1] + v[2], outer_step = v[0] - v[3], inner_step = v[1] - v[2];
  v[0] = outer + inner;
  v[1] = outer_step + outer_step + inner_step;
  v[2] = outer - inner;
  v[3] = outer_step - inner_step - inner_step;
}

static inline void inverse_lines(words *v) {
  words even = v[0] + v[2], odd = v[0] - v[2], low = (v[1] >> 1) - v[3], high = v[1] + (v[3] >> 1);
  v[0] = even + high;
  v[1] = odd + low;
  v[2] = odd - low;
  v[3] = even - high;
}

/* Of 8x4 pixels: two blocks. */
static inline void forward_pair(struct pair *to, const uint8_t *is, ptrdiff_t stride, const uint8_t *guess, ptrdiff_t guess_stride) {
  for (int y = 0; y < 4; y++) to->column[y] = words_at(is + y * stride) - words_at(guess + y * guess_stride);
  forward_lines(to->column);
  transpose_pair(to);
  forward_lines(to->column);
}

/* Adds what the coefficients say to the guess. The horizontal part comes first, as their roundings are. */
static inline void inverse_pair(struct pair *of, const uint8_t *guess, ptrdiff_t guess_stride, uint8_t *to, ptrdiff_t stride) {
  inverse_lines(of->column);
  transpose_pair(of);
  inverse_lines(of->column);
  for (int y = 0; y < 4; y++) {
    store_clipped(to + y * stride, ((of->column[y] + 32) >> 6) + words_at(guess + y * guess_stride));
  }
}

/* The largest magnitude of what comes of one 4x4 (0 left, 1 right) on the way of its inverse. */
static inline int largest_of_inverse(const struct pair *of, int side) {
  int at[4][4], most = 0;
  for (int k = 0; k < 4; k++) for (int i = 0; i < 4; i++) at[i][k] = of->column[k][4 * side + i];
  for (int pass = 0; pass < 2; pass++) {
    int lines[4][4];
    for (int i = 0; i < 4; i++) {
      int even = at[i][0] + at[i][2], odd = at[i][0] - at[i][2];
      int low = (at[i][1] >> 1) - at[i][3], high = at[i][1] + (at[i][3] >> 1);
      const int made[4] = {even + high, odd + low, odd - low, even - high}, parts[4] = {even, odd, low, high};
      for (int k = 0; k < 4; k++) {
        lines[k][i] = made[k];
        if (abs(made[k]) > most) most = abs(made[k]);
        if (abs(parts[k]) > most) most = abs(parts[k]);
      }
    }
    memcpy(at, lines, sizeof at);
  }
  return most;
}

/* Whether an inverse would leave the 16 bits that decoders have for it (§8.5.12.2), which goes astray in each another way. */
static inline int is_beyond_words(const struct pair *of) {
  words sum = {0};
  for (int k = 0; k < 4; k++) {
    words sign = of->column[k] >> 15;
    sum += ((of->column[k] ^ sign) - sign) >> 2;
  }
  int most = INT16_MAX - 32, quarter = most / 4 - 16;
  if (sum[0] + sum[1] + sum[2] + sum[3] <= quarter && sum[4] + sum[5] + sum[6] + sum[7] <= quarter) return 0;
  return largest_of_inverse(of, 0) > most || largest_of_inverse(of, 1) > most;
}

/* Factors for one quantiser, in the order of a pair's columns: even ones, odd ones. */
struct quantiser {
  words step[2], factor[2], rounding[2];
  int dc_step, dc_factor, dc_rounding, dc_shift;
};

/* Table of §8.5.9 (normAdjust4x4: corner, centre, edge), and what quantises so that it comes to the same. */
static const uint8_t scales[6][3] = {{10, 16, 13}, {11, 18, 14}, {13, 20, 16}, {14, 23, 18}, {16, 25, 20}, {18, 29, 23}};
static const uint16_t factors[6][3] = {{13107, 5243, 8066}, {11916, 4660, 7490}, {10082, 4194, 6554},
                                       {9362, 3647, 5825},  {8192, 3355, 5243},  {7282, 2893, 4559}};

/* `rounding` in 64ths of a step: 32 would be to the nearest. */
static inline void set_quantiser(struct quantiser *to, int qp, int rounding) {
  const uint8_t *scale = scales[qp % 6];
  const uint16_t *factor = factors[qp % 6];
  for (int odd = 0; odd < 2; odd++) {
    for (int i = 0; i < 8; i++) {
      int kind = odd ? (i & 1 ? 1 : 2) : (i & 1 ? 2 : 0);
      int upper = (2 * factor[kind]) >> (qp / 6);
      to->step[odd][i] = (int16_t)(scale[kind] << (qp / 6));
      to->factor[odd][i] = (int16_t)upper;
      to->rounding[odd][i] = (int16_t)((rounding << 10) / upper);
    }
  }
  to->dc_step = scale[0] << (qp / 6);
  to->dc_factor = factor[0];
  to->dc_shift = 16 + qp / 6;
  to->dc_rounding = (int)(((int64_t)rounding << to->dc_shift) / 64);
}

/* Quantises both blocks. -> which are not 0: bits 0-15 of the left, 16-31 of the right, bit 4k+i for row i of column k */
static inline uint32_t quantise_pair(struct pair *of, const struct quantiser *by) {
  uint32_t set = 0;
  for (int k = 0; k < 4; k++) {
    words sign = of->column[k] >> 15, size = (of->column[k] ^ sign) - sign;
    size = upper_product(size + by->rounding[k & 1], by->factor[k & 1]);
    of->column[k] = (size ^ sign) - sign;
    unsigned here = set_words(of->column[k]);
    set |= (here & 15u) << (4 * k) | (here >> 4) << (16 + 4 * k);
  }
  return set;
}

static inline void scale_pair(struct pair *of, const struct quantiser *by) {
  for (int k = 0; k < 4; k++) of->column[k] *= by->step[k & 1];
}

static inline int quantise_dc(int value, const struct quantiser *by) {
  int size = (int)(((int64_t)abs(value) * by->dc_factor + by->dc_rounding) >> by->dc_shift);
  return value < 0 ? -size : size;
}

/* Where the coefficient of each place in zig-zag order is among the 16 of a block, and the other way round. */
static const uint8_t zigzag[16] = {0, 4, 1, 2, 5, 8, 12, 9, 6, 3, 7, 10, 13, 14, 11, 15};
static const uint8_t zigzag_place[16] = {0, 2, 3, 9, 1, 4, 8, 10, 5, 7, 11, 14, 6, 12, 13, 15};

/* For the lower and the upper eight of a block: the bits of what is set, in zig-zag order. */
static uint16_t zigzag_bits[2][256];

static inline void prepare_zigzag(void) {
  for (int half = 0; half < 2; half++) {
    for (int set = 0; set < 256; set++) {
      uint16_t bits = 0;
      for (int i = 0; i < 8; i++) if (set >> i & 1) bits |= (uint16_t)(1 << zigzag_place[8 * half + i]);
      zigzag_bits[half][set] = bits;
    }
  }
}

/* Lists what is set of the left (0) or right (1) block of a pair. -> how much it matters: a few single steps far from the DC
 * cost more than what they show; anything larger is seen. `first` is 1 where the DC is coded by itself. */
static inline int list_levels(struct run_levels *to, const struct pair *of, uint32_t set, int side, int first) {
  static const uint8_t weights[16] = {3, 2, 2, 1, 1, 1};
  uint32_t own = set >> (16 * side) & (first ? 0xfffeu : 0xffffu);
  uint32_t bits = zigzag_bits[0][own & 255] | zigzag_bits[1][own >> 8];
  const int16_t *values = (const int16_t *)of->column + 4 * side;
  int count = 0, score = 0, before = first - 1;
  for (; bits; bits &= bits - 1) {
    int place = __builtin_ctz(bits), from = zigzag[place];
    int level = values[(from >> 2) * 8 + (from & 3)];
    score += level == 1 || level == -1 ? weights[place - before - 1] : 9;
    before = place;
    to->places[count] = (uint8_t)(place - first);
    to->levels[count++] = (int16_t)level;
  }
  to->count = count;
  return score;
}

#endif
