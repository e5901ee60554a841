/* Halves a plane in both directions: each byte becomes the mean of four. swscale takes ten times as long for it, and pictures that
 * are twice as large as their cell are what a room without simulcast has most of. See media/av/halving.ts.
 *
 * Written against the stable ABI of Node-API, declared here so that no headers are needed to compile it:
 *   cc -O2 -shared -fPIC -o halve.node halve.c */
#include <stddef.h>
#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

static int32_t int_of(napi_env env, napi_value value) {
  int32_t number = 0;
  napi_get_value_int32(env, value, &number);
  return number;
}

/* Memory of a typed array, if it holds so many rows; NULL if not. */
static uint8_t *plane_of(napi_env env, napi_value value, int32_t stride, int32_t width, int32_t height) {
  int type;
  size_t length = 0;
  void *data = NULL;
  if (stride < width || width <= 0 || height <= 0) return NULL;
  if (napi_get_typedarray_info(env, value, &type, &length, &data, NULL, NULL)) return NULL;
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
  napi_value args[6], result = NULL;
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
  napi_create_int32(env, from && to ? 0 : -1, &result);
  return result;
}

__attribute__((visibility("default"))) napi_value napi_register_module_v1(napi_env env, napi_value exports) {
  napi_value function;
  napi_create_function(env, "halve", (size_t)-1, halve, NULL, &function);
  napi_set_named_property(env, exports, "halve", function);
  return exports;
}
