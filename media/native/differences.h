/* What of a picture is not as it was in the one before, macroblock by macroblock. */
#ifndef SWITCHYARD_DIFFERENCES_H
#define SWITCHYARD_DIFFERENCES_H
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SIDE = 16, HALF = 8, BLOCK = SIDE * SIDE, UNCHANGED = 1, BOX_FIELDS = 4 };

struct compared {
  int width, height, columns, rows, has_last;
  /* Of each macroblock: whether it is as it was, and how it was (Y, U, V one after the other). */
  uint8_t *info, *last;
};

/* I420 that is lent for a call. */
struct planes {
  const uint8_t *data[3];
  ptrdiff_t strides[3];
};

static int begin_compared(struct compared *to, int width, int height) {
  to->width = width;
  to->height = height;
  to->columns = (width + SIDE - 1) / SIDE;
  to->rows = (height + SIDE - 1) / SIDE;
  to->has_last = 0;
  to->info = calloc(1, (size_t)to->columns * to->rows);
  to->last = calloc(3 * BLOCK / 2, (size_t)to->columns * to->rows);
  return to->info && to->last ? 0 : -1;
}

static void end_compared(struct compared *of) {
  free(of->info);
  free(of->last);
}

/* Difference of a block to what it was. */
static int difference(const uint8_t *is, ptrdiff_t stride, const uint8_t *was, int width, int height, int step) {
  int sum = 0;
  for (int y = 0; y < height; y++, is += stride, was += step) {
    for (int x = 0; x < width; x++) sum += abs(is[x] - was[x]);
  }
  return sum;
}

/* How much there is to see in a block: the difference to its mean. */
static int detail(const uint8_t *is, ptrdiff_t stride, int width, int height) {
  int sum = 0, away = 0;
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) sum += is[y * stride + x];
  }
  uint8_t mean = (uint8_t)(sum / (width * height));
  for (int y = 0; y < height; y++) {
    for (int x = 0; x < width; x++) away += abs(is[y * stride + x] - mean);
  }
  return away;
}

static void keep(const uint8_t *is, ptrdiff_t stride, uint8_t *to, int width, int height, int step) {
  for (int y = 0; y < height; y++) memcpy(to + y * step, is + y * stride, (size_t)width);
}

/* Sum of the differences of 16 or 8 bytes each; the processor has an instruction for it that compilers do not find here. */
#ifdef __SSE2__
static inline __m128i bytes_at(const uint8_t *at, int width) {
  return width == SIDE ? _mm_loadu_si128((const __m128i *)at) : _mm_loadl_epi64((const __m128i *)at);
}
static inline int total(__m128i sums) { return _mm_cvtsi128_si32(sums) + _mm_cvtsi128_si32(_mm_srli_si128(sums, 8)); }
static inline int whole_difference(const uint8_t *is, ptrdiff_t stride, const uint8_t *was, int side) {
  __m128i sum = _mm_setzero_si128();
#pragma GCC unroll 16
  for (int y = 0; y < side; y++) {
    sum = _mm_add_epi32(sum, _mm_sad_epu8(bytes_at(is + y * stride, side), bytes_at(was + y * side, side)));
  }
  return total(sum);
}
/* Keeps a macroblock's luma on the way. */
static inline int keep_and_weigh(const uint8_t *is, ptrdiff_t stride, uint8_t *to) {
  const __m128i zero = _mm_setzero_si128();
  __m128i sum = zero, away = zero;
#pragma GCC unroll 16
  for (int y = 0; y < SIDE; y++) {
    const __m128i line = bytes_at(is + y * stride, SIDE);
    _mm_storeu_si128((__m128i *)(to + y * SIDE), line);
    sum = _mm_add_epi32(sum, _mm_sad_epu8(line, zero));
  }
  const __m128i mean = _mm_set1_epi8((char)(total(sum) / BLOCK));
#pragma GCC unroll 16
  for (int y = 0; y < SIDE; y++) away = _mm_add_epi32(away, _mm_sad_epu8(bytes_at(to + y * SIDE, SIDE), mean));
  return total(away);
}
static inline void keep_half(const uint8_t *is, ptrdiff_t stride, uint8_t *to) {
#pragma GCC unroll 8
  for (int y = 0; y < HALF; y++) memcpy(to + y * HALF, is + y * stride, HALF);
}
#else
#define whole_difference(is, stride, was, side) difference(is, stride, was, side, side, side)
static inline int keep_and_weigh(const uint8_t *is, ptrdiff_t stride, uint8_t *to) {
  keep(is, stride, to, SIDE, SIDE, SIDE);
  return detail(is, stride, SIDE, SIDE);
}
#define keep_half(is, stride, to) keep(is, stride, to, HALF, HALF, HALF)
#endif

/* Compares one macroblock, and keeps it. -> what it costs to show: the lesser of its difference and its detail; 0 if it is the
 * same. Whole ones are most of them, and their loops are unrolled for their size. */
static int compare(const struct compared *one, const struct planes *of, int column, int row, int is_key) {
  uint8_t *was = one->last + (size_t)(row * one->columns + column) * (3 * BLOCK / 2);
  int left = one->width - column * SIDE, above = one->height - row * SIDE;
  int width = left < SIDE ? left : SIDE, height = above < SIDE ? above : SIDE;
  int is_whole = width == SIDE && height == SIDE, sum = 0, luma = 0, looks = 0;
  for (int i = 0; i < 3; i++) {
    int side = i ? HALF : SIDE;
    const uint8_t *is = of->data[i] + row * side * of->strides[i] + column * side;
    uint8_t *old = was + (i ? BLOCK + (i - 1) * (BLOCK / 4) : 0);
    int wide = width >> (i > 0), high = height >> (i > 0), differs;
    if (!is_whole) differs = difference(is, of->strides[i], old, wide, high, side);
    else differs = i ? whole_difference(is, of->strides[i], old, HALF) : whole_difference(is, of->strides[i], old, SIDE);
    if (!i) luma = differs;
    sum += differs;
    if (!differs && !is_key) continue;
    if (is_whole && i) keep_half(is, of->strides[i], old);
    else if (is_whole) looks = keep_and_weigh(is, of->strides[0], old);
    else {
      if (!i) looks = detail(is, of->strides[0], wide, high);
      keep(is, of->strides[i], old, wide, high, side);
    }
  }
  if (is_key) return looks + 1;
  if (!sum) return 0;
  int chroma = sum - luma;
  return 1 + chroma + (luma < looks ? luma : looks);
}

/* With `count` boxes (x, y, width, height), what is outside of them is taken as unchanged; with -1 all of it is compared.
 * -> what the macroblocks that are not as they were cost to show */
static int32_t compare_picture(struct compared *one, const struct planes *of, const int32_t *boxes, int count, int is_key) {
  size_t all = (size_t)one->columns * one->rows;
  is_key = is_key || !one->has_last;
  memset(one->info, count < 0 || is_key ? 0 : UNCHANGED, all);
  for (int i = 0; !is_key && i < count; i++, boxes += BOX_FIELDS) {
    int left = boxes[0] < 0 ? 0 : boxes[0] / SIDE, top = boxes[1] < 0 ? 0 : boxes[1] / SIDE;
    int right = (boxes[0] + boxes[2] + SIDE - 1) / SIDE, bottom = (boxes[1] + boxes[3] + SIDE - 1) / SIDE;
    if (right > one->columns) right = one->columns;
    for (int y = top; y < bottom && y < one->rows; y++) {
      if (right > left) memset(one->info + (size_t)y * one->columns + left, 0, (size_t)(right - left));
    }
  }
  int64_t cost = 0;
  for (int y = 0, at = 0; y < one->rows; y++) {
    for (int x = 0; x < one->columns; x++, at++) {
      if (one->info[at]) continue;
      int own = compare(one, of, x, y, is_key);
      one->info[at] = own ? 0 : UNCHANGED;
      cost += own;
    }
  }
  one->has_last = 1;
  return cost > INT32_MAX ? INT32_MAX : (int32_t)cost;
}

#endif
