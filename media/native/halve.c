/* Halves a plane in both directions: each byte becomes the mean of four. swscale takes ten times as long for it, and pictures that
 * are twice as large as their cell are what a room without simulcast has most of. See media/av/halving.ts.
 *
 * Needs no headers but those of the C library (see node-api.h):
 *   cc -O2 -shared -fPIC -o halve.node halve.c */
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "node-api.h"

/* Memory of a typed array, if it holds so many rows; NULL if not. */
static uint8_t *plane_of(napi_env env, napi_value value, int32_t stride, int32_t width, int32_t height) {
  void *data = NULL;
  const size_t length = array_of(env, value, &data);
  if (stride < width || width <= 0 || height <= 0) return NULL;
  return length >= (size_t)stride * (size_t)(height - 1) + (size_t)width ? data : NULL;
}

static void halve_row(const uint8_t *upper, const uint8_t *lower, uint8_t *to, int width) {
  int x = 0;
#ifdef __SSE2__
  const __m128i even = _mm_set1_epi16(0xff), two = _mm_set1_epi16(2);
  for (; x + 16 <= width; x += 16) {
    __m128i halves[2];
    for (int i = 0; i < 2; i++) {
      __m128i a = _mm_loadu_si128((const __m128i *)(upper + 2 * x) + i), b = _mm_loadu_si128((const __m128i *)(lower + 2 * x) + i);
      __m128i left = _mm_add_epi16(_mm_and_si128(a, even), _mm_and_si128(b, even));
      __m128i right = _mm_add_epi16(_mm_srli_epi16(a, 8), _mm_srli_epi16(b, 8));
      halves[i] = _mm_srli_epi16(_mm_add_epi16(_mm_add_epi16(left, right), two), 2);
    }
    _mm_storeu_si128((__m128i *)(to + x), _mm_packus_epi16(halves[0], halves[1]));
  }
#endif
  for (; x < width; x++) {
    to[x] = (uint8_t)((upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1] + 2) >> 2);
  }
}

/* (from, its stride, to, its stride, width and height of what is made) -> 0, or -1 where it does not fit */
static napi_value halve(napi_env env, napi_callback_info info) {
  napi_value args[6];
  size_t count = 6;
  napi_get_cb_info(env, info, &count, args, NULL, NULL);
  int32_t from_stride = int_of(env, args[1]), to_stride = int_of(env, args[3]);
  int32_t width = int_of(env, args[4]), height = int_of(env, args[5]);
  int is_size = width > 0 && height > 0 && width <= 8192 && height <= 8192;
  const uint8_t *from = is_size ? plane_of(env, args[0], from_stride, 2 * width, 2 * height) : NULL;
  uint8_t *to = is_size ? plane_of(env, args[2], to_stride, width, height) : NULL;
  if (from && to) {
    for (ptrdiff_t y = 0; y < height; y++) {
      const uint8_t *upper = from + 2 * y * from_stride;
      halve_row(upper, upper + from_stride, to + y * to_stride, width);
    }
  }
  return answer(env, from && to ? 0 : -1);
}

EXPORT({"halve", halve})
